"""The history page: one self-contained page, no script, nothing loaded; each endpoint's evidence over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stillwatch.apps.integrity.monitor_metrics import Figures
from stillwatch.apps.integrity.monitor_state import Round
from stillwatch.apps.report.words import show_unseen
from stillwatch.integrity.monitor.channels import BY_NAME

MOST_ROUNDS = 400  # the latest; a wider chart shows no more
FLOOR, HEADROOM = -2.0, 1.15  # log10 of the e-value at the chart's foot; room above its top


@dataclass(frozen=True, slots=True)
class Chart:
    """Log10 of the e-value over rounds, in a box of 1,000 by 200: points of a line, and the height of the bar."""

    line: str
    bar: float  # y at which an endpoint alone is taken to differ
    top: float
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Section:
    """One endpoint on the page."""

    figures: Figures
    chart: Chart
    channels: tuple[tuple[str, str, float], ...]  # name, what it is, log10 of its e-value


def render_page(
    histories: Sequence[tuple[Figures, Sequence[Round]]], alerts: Sequence[Mapping[str, Any]], level: float
) -> str:
    """Return the page as HTML."""
    sections = [
        Section(
            told,
            draw(rounds, level),
            tuple((name, BY_NAME[name].about, value) for name, value in told.latest.channels.items()),
        )
        for told, rounds in histories
    ]
    page = _environment().get_template("history.html.j2")
    troubled = sorted({str(each["endpoint"]) for each in alerts})
    return page.render(sections=sections, alerts=alerts, level=level, troubled=troubled, exponent=exponent, floor=FLOOR)


def exponent(value: float) -> str:
    """Return a power of ten's exponent as a page shows it: one decimal, a true minus, no nought with a sign."""
    return f"{round(value, 1) + 0.0:.1f}".replace("-", "\N{MINUS SIGN}")


def draw(rounds: Sequence[Round], level: float) -> Chart:
    """Lay out one endpoint's evidence over its latest rounds."""
    shown = rounds[-MOST_ROUNDS:]
    bar = -math.log10(level)
    top = HEADROOM * max(bar, max(each.log10_e for each in shown))
    step = 1000.0 / max(len(shown) - 1, 1)
    points = [f"{number * step:.1f},{_height(each.log10_e, top):.1f}" for number, each in enumerate(shown)]
    if len(points) == 1:
        points.append(f"1000.0,{points[0].split(',')[1]}")
    return Chart(" ".join(points), round(_height(bar, top), 1), top, shown[0].at[:16], shown[-1].at[:16])


def _height(log10_e: float, top: float) -> float:
    return 200.0 * (top - max(log10_e, FLOOR)) / (top - FLOOR)


@cache
def _environment() -> Environment:
    here = Path(__file__).parent
    return Environment(
        loader=FileSystemLoader([here, here.parent / "report"]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=show_unseen,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
