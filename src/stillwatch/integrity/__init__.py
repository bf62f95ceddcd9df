"""For those who consume a model: verify an answer, audit an endpoint, watch it for drift."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stillwatch.integrity.signing.client import NotVerified, wrap

_HOME = {"NotVerified": "signing.client", "wrap": "signing.client"}
__all__ = ["NotVerified", "wrap"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stillwatch.integrity' has no attribute '{name}'; its names are in __all__")
    return getattr(import_module(f"stillwatch.integrity.{_HOME[name]}"), name)
