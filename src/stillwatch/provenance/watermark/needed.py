"""What the adapters need, imported where it is used, so that the core installs without it."""

from __future__ import annotations

import importlib
from typing import Any

from stillwatch.model import MissingDependency

EXTRA = "pip install 'stillwatch[watermark]'"


def needed(module: str) -> Any:
    """Import a module of the extra. Raises MissingDependency that says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependency(f"{error.name or module} is missing: {EXTRA}") from error
