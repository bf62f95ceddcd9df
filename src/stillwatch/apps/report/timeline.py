"""The timeline of a campaign: exchanges in buckets of time, stacked by model, as a small SVG of our own.

Not altair: loading it with vl-convert takes 2.1 s and its first chart 1.2 s, and a Vega SVG has fixed colours and a
fixed width. This one is ready in a millisecond, takes its colours from the page (light, dark, print) and stretches
from a phone to a wall while its labels stay text.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from stillwatch.apps.report.words import day, minute, plural, utc
from stillwatch.apps.run import TimelineBar

MAX_BUCKETS = 96  # more bars than this are thinner than a pixel or two on a phone
MAX_MODELS = 5  # hues that stay apart for a colour-blind reader; the rest is "other models"
OTHERS = {"model": "other models", "capability": "other capabilities"}
_WIDTHS = tuple(dt.timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 180, 360, 720, 1440, 7 * 1440, 28 * 1440))
_WIDTH_NAMES = ("minute", "5 minutes", "15 minutes", "30 minutes", "hour", "3 hours", "6 hours", "12 hours", "day")
_EPOCH = dt.datetime(2018, 1, 1, tzinfo=dt.UTC)  # a Monday, so that weeks start on one


@dataclass(frozen=True, slots=True)
class Rect:
    """One model's part of one bar; x in buckets, y and height in thousandths of the plot."""

    x: int
    y: float
    height: float
    hue: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar in words, for the hover text and the table."""

    label: str
    total: int
    parts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on an axis, at a share of its length."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that the template needs to draw one timeline."""

    slots: int
    rects: tuple[Rect, ...]
    buckets: tuple[tuple[int, Bucket], ...]
    models: tuple[tuple[str, int, int], ...]  # name, hue, exchanges
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bucket_name: str
    summary: str
    kind: str  # what the bars are stacked by


def draw_timeline(bars: tuple[TimelineBar, ...], kind: str = "model") -> Timeline | None:
    """Lay out the bars of one campaign, by `kind` (`model` or `capability`); None when there is nothing to draw."""
    bars = tuple(bar for bar in bars if bar.exchanges > 0)
    if not bars:
        return None
    width = _bucket_width(bars)
    first = _slot(min(utc(bar.start) for bar in bars), width)
    slots = _slot(max(utc(bar.start) for bar in bars), width) - first + 1
    hues = _rank_models(bars, OTHERS[kind])
    counts: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for bar in bars:
        model = bar.model if bar.model in hues else OTHERS[kind]
        counts[_slot(utc(bar.start), width) - first][model] += bar.exchanges
    start = _EPOCH + first * width
    peak_slot = max(sorted(counts), key=lambda slot: sum(counts[slot].values()))
    ceiling = _round_up(sum(counts[peak_slot].values()))
    buckets = tuple((slot, _bucket(start + slot * width, counts[slot], hues)) for slot in sorted(counts))
    totals = {model: sum(bucket.get(model, 0) for bucket in counts.values()) for model in hues}
    peak = dict(buckets)[peak_slot]
    name = _WIDTH_NAMES[_WIDTHS.index(width)] if _WIDTHS.index(width) < len(_WIDTH_NAMES) else f"{width.days} days"
    return Timeline(
        slots=slots,
        rects=_stack(counts, hues, ceiling),
        buckets=buckets,
        models=tuple((model, hues[model], totals[model]) for model in hues),
        x_ticks=_time_ticks(start, width, slots),
        y_ticks=tuple(Tick(share, f"{round(ceiling * share):,}") for share in _y_shares(ceiling)),
        bucket_name=name,
        summary=f"{plural(sum(totals.values()), 'exchange')} {_over(kind, len({bar.model for bar in bars}))}; "
        f"the busiest {name} began {peak.label} UTC with {peak.total:,}.",
        kind=kind,
    )


def _over(kind: str, names: int) -> str:
    if kind == "model":
        return f"on {plural(names, 'model')}"
    return f"for {names} capabilities" if names > 1 else "for one capability"


def _bucket_width(bars: tuple[TimelineBar, ...]) -> dt.timedelta:
    """Keep the log's own step when it fits; otherwise the next round width that does."""
    starts = sorted({utc(bar.start) for bar in bars})
    step = min((later - earlier for earlier, later in pairwise(starts)), default=_WIDTHS[4])
    covered = starts[-1] - starts[0]
    fits = (width for width in _WIDTHS if width >= step and covered / width < MAX_BUCKETS)
    return next(fits, _WIDTHS[-1])


def _slot(moment: dt.datetime, width: dt.timedelta) -> int:
    return (moment - _EPOCH) // width


def _rank_models(bars: tuple[TimelineBar, ...], rest: str) -> dict[str, int]:
    """Models by volume, each with its hue; the tail shares one."""
    totals: dict[str, int] = defaultdict(int)
    for bar in bars:
        totals[bar.model] += bar.exchanges
    ranked = sorted(totals, key=lambda model: (-totals[model], model))
    hues = {model: hue for hue, model in enumerate(ranked[:MAX_MODELS], start=1)}
    if len(ranked) > MAX_MODELS:
        hues[rest] = MAX_MODELS + 1
    return hues


def _bucket(start: dt.datetime, counts: dict[str, int], hues: dict[str, int]) -> Bucket:
    parts = tuple((model, counts[model]) for model in hues if counts.get(model))
    return Bucket(minute(start), sum(counts.values()), parts)


def _stack(counts: dict[int, dict[str, int]], hues: dict[str, int], ceiling: int) -> tuple[Rect, ...]:
    rects = []
    for slot in sorted(counts):
        top = 1000.0
        for model, hue in hues.items():
            height = round(1000 * counts[slot].get(model, 0) / ceiling, 1)
            if height:
                top = round(top - height, 1)
                rects.append(Rect(slot, top, height, hue))
    return tuple(rects)


def _round_up(peak: int) -> int:
    """Raise the top of the axis to 1, 2, 4, 5 or 8 times a power of ten."""
    power = 1
    while True:
        for step in (1, 2, 4, 5, 8):
            if step * power >= peak:
                return step * power
        power *= 10


def _y_shares(ceiling: int) -> tuple[float, ...]:
    return (0.0, 0.5, 1.0) if ceiling % 2 == 0 else (0.0, 1.0)


def _time_ticks(start: dt.datetime, width: dt.timedelta, slots: int) -> tuple[Tick, ...]:
    """At most seven labels: days where the span is long, hours where it is short."""
    covered = width * slots
    steps = [dt.timedelta(hours=h) for h in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 2688, 5376, 10752)]
    step = next((step for step in steps if covered / step <= 7), covered / 6)
    moment = _EPOCH + -((_EPOCH - start) // step) * step
    ticks = []
    while moment < start + covered:
        label = day(moment).rsplit(" ", 1)[0] if step >= dt.timedelta(days=1) else f"{moment:%H:%M}"
        if moment >= start and (moment - start) / covered <= 0.94:  # a label at the right edge would be cut off
            ticks.append(Tick(round(100 * ((moment - start) / covered), 2), label))
        moment += step
    return tuple(ticks) or (Tick(0.0, minute(start)),)
