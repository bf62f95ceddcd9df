"""A part of the results: how it is measured, told and drawn, and which bars it has to clear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.plan import Plan

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """Something promised, what was measured, and whether that is enough."""

    promise: str
    measured: str
    met: bool | None  # None: this measurement is too small to tell


def _none(_: Data) -> Sequence[Bar]:
    return ()


def _no_pictures(_: Data) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Part:
    """One section of the page."""

    name: str
    title: str
    measure: Callable[[Bench, Plan], dict[str, Any]]
    tell: Callable[[Data], str]  # Markdown
    size: Callable[[Plan], str]
    bars: Callable[[Data], Sequence[Bar]] = field(default=_none)
    draw: Callable[[Data], dict[str, str]] = field(default=_no_pictures)  # file name → SVG
    seeds: int | None = None  # how many of the plan's seeds it uses; all when None
    asked: bool = False  # measured only where it is named: it takes as long as all the others


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A Markdown table; the first columns hold words, the others figures, which stand to the right."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * words}{'---:|' * (len(head) - words)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def share(value: float | None, digits: int = 3) -> str:
    """`0.982`; a dash for what was not measured."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """`0.7 %`."""
    return "–" if value is None else f"{100 * value:.1f} %"


def hours(value: float | None) -> str:
    """`31 h`; `never` when there is none."""
    return "never" if value is None else f"{value:.1f} h"
