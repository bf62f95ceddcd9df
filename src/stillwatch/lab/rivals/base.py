"""What a rival is: a name, a source, a grid of settings and one function from a log to a ranking of its accounts."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.model import MissingDependency

Setting = Mapping[str, Any]


@dataclass(frozen=True)
class Log:
    """What any detector may see: exchanges.parquet, accounts.parquet and licences.csv of a folder; never labels."""

    folder: Path


@dataclass(frozen=True)
class Tuned:
    """What a rival may bring from tuning replays: fitted models by name, never the labels themselves."""

    parts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ranking:
    """Every account of the exchange log exactly once, in order of its id."""

    account: NDArray[np.str_]
    score: NDArray[np.float64]  # orders suspicion; higher is worse
    group: NDArray[np.int64]  # -1: none
    accused: NDArray[np.bool_]  # by the rival's own threshold at its setting
    because: str = ""


@dataclass(frozen=True)
class Rival:
    """One method that ranks accounts."""

    name: str
    source: str  # paper, package with its version, or the audit that it follows
    kind: str  # package: the real one runs; port: written from its description; baseline: a plain idea
    settings: tuple[Setting, ...]
    rank: Callable[[Log, Setting, Tuned | None], Ranking]
    substituted: str = "nothing"  # what differs from the source, in a few words


def grid(**choices: tuple[Any, ...]) -> tuple[Setting, ...]:
    """Every combination of the choices, the first one varying slowest."""
    settings: list[dict[str, Any]] = [{}]
    for name, values in choices.items():
        settings = [{**setting, name: value} for setting in settings for value in values]
    return tuple(settings)


def one_thread() -> AbstractContextManager[Any]:
    """Linear algebra on one thread: its sums do not depend on how many cores there are."""
    limits: AbstractContextManager[Any] = optional("threadpoolctl", "threadpoolctl>=3,<4").threadpool_limits(1)
    return limits


def optional(module: str, package: str) -> Any:
    """A module of the `lab` extra, or a word on what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise MissingDependency(
            f"this rival needs {package}, which is not installed: pip install 'stillwatch[lab]'"
        ) from missing
