"""Small SVG pictures for pages: rows of dots, and panels of lines.

The report's charts (apps/report) are templates that take colours and width from their page; these are files that a page
shows as images, so they bring both, in light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

STYLE = (
    "text{font:12px sans-serif;fill:#333}.q{fill:#666}.g{stroke:#ddd}.b{font-weight:bold}"
    ".s0{fill:#0b6e99;stroke:#0b6e99}.s1{fill:#c2571a;stroke:#c2571a}.s2{fill:#8a8a8a;stroke:#8a8a8a}"
    ".s3{fill:#5c8a3a;stroke:#5c8a3a}polyline{fill:none!important;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.q{fill:#aaa}.g{stroke:#444}.s0{fill:#5bb8dd;stroke:#5bb8dd}"
    ".s1{fill:#f09a5f;stroke:#f09a5f}.s3{fill:#9fce7a;stroke:#9fce7a}}"
)
LEFT, ROW, WIDTH, PANEL = 170, 22, 640, 200
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """Values along an axis: linear from `low` to `high`, with labelled ticks."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def at(self, value: float) -> float:
        """Place of a value, from 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


SHARE = Scale(0.0, 1.0, tuple((each / 4, f"{each * 25} %") for each in range(5)))


def dots(title: str, rows: Sequence[tuple[str, Mapping[str, float]]], series: Sequence[str], scale: Scale) -> str:
    """One line for each row, one dot for each series in it; the first series is drawn last, on top."""
    height = 66 + ROW * len(rows)
    width = WIDTH - LEFT - 40
    parts = [_legend(series)]
    for value, label in scale.ticks:
        x = LEFT + width * scale.at(value)
        parts.append(f'<line class="g" x1="{x:.1f}" y1="34" x2="{x:.1f}" y2="{height - 26}"/>')
        parts.append(_text(x, height - 10, label, "middle", "q"))
    for number, (name, values) in enumerate(rows):
        y = 46 + ROW * number
        parts.append(_text(LEFT - 10, y + 4, name, "end"))
        for place in reversed(range(len(series))):
            if series[place] in values:
                x = LEFT + width * scale.at(values[series[place]])
                label = f"{name}, {series[place]}: {values[series[place]]:.3g}"
                parts.append(_dot(x, y, place, label, 7 if place else 4))  # one below another shows as a ring
    return _svg(title, WIDTH, height, parts)


@dataclass(frozen=True, slots=True)
class Panel:
    """One small picture of lines over the same scales."""

    title: str
    lines: Mapping[str, Sequence[Point]]  # series → points


def panels(title: str, each: Sequence[Panel], across: Scale, up: Scale, diagonal: bool = False) -> str:
    """Small pictures side by side, three in a row."""
    series = list(dict.fromkeys(name for panel in each for name in panel.lines))
    columns = min(3, max(1, len(each)))
    rows = -(-len(each) // columns)
    parts = [_legend(series, left=46)]
    for number, panel in enumerate(each):
        x0, y0 = 46 + number % columns * (PANEL + 12), 48 + number // columns * (PANEL - 6)
        parts += _frame(panel.title, x0, y0, across, up, number % columns == 0)
        if diagonal:
            parts.append(f'<line class="g" x1="{x0}" y1="{y0 + 130}" x2="{x0 + 176}" y2="{y0}"/>')
        for name, points in panel.lines.items():
            place = series.index(name)
            where = [(x0 + 176 * across.at(x), y0 + 130 - 130 * up.at(y), x, y) for x, y in points]
            drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in where)
            parts.append(f'<polyline class="s{place}" points="{drawn}"/>')
            parts += [_dot(x, y, place, f"{panel.title}, {name}: {b:.3g} at {a:.3g}", 3) for x, y, a, b in where]
    return _svg(title, 46 + max(2, columns) * (PANEL + 12), 48 + rows * (PANEL - 6), parts)


def _frame(title: str, x0: float, y0: float, across: Scale, up: Scale, labelled: bool) -> list[str]:
    parts = [_text(x0, y0 - 8, title, "start", "b")]
    for value, label in up.ticks:
        y = y0 + 130 - 130 * up.at(value)
        parts.append(f'<line class="g" x1="{x0}" y1="{y:.1f}" x2="{x0 + 176}" y2="{y:.1f}"/>')
        if labelled:
            parts.append(_text(x0 - 6, y + 4, label, "end", "q"))
    parts += [_text(x0 + 176 * across.at(value), y0 + 146, label, "middle", "q") for value, label in across.ticks]
    return parts


def _legend(series: Sequence[str], left: float = LEFT) -> str:
    parts, x = [], left
    for place, name in enumerate(series):
        parts.append(_dot(x, 14, place, name) + _text(x + 10, 18, name, "start"))
        x += 30 + 6.6 * len(name)
    return "".join(parts)


def _dot(x: float, y: float, place: int, label: str, radius: int = 5) -> str:
    return f'<circle class="s{place}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>{escape(label)}</title></circle>'


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title><style>{STYLE}</style>'
        + "\n".join(parts)
        + "</svg>\n"
    )
