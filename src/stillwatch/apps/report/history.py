"""Campaigns over a chain of runs: one row a campaign, one column a run, and what became of it in each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillwatch.apps.report.timeline import Tick
from stillwatch.apps.report.words import day, plural, sentence_list
from stillwatch.campaigns.identity import Status
from stillwatch.campaigns.lineage import GONE, Lineage, Record

MOST_RUNS = 26  # the latest: half a year of weeks
MOST_ROWS = 24
MOST_LABELS = 7
HUES = {Status.BORN: 3, Status.RETURNED: 2, Status.MERGED: 4, Status.SPLIT: 5}  # what stands out; the rest is one hue
PLAIN = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """One campaign in one run: x in runs, height in hundredths of the row, and the words for a hover."""

    x: int
    height: float
    hue: int
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One campaign: its marks, the runs between which nothing was seen of it, and its relations in words."""

    campaign_id: str
    anchor: str | None
    status: str
    marks: tuple[Mark, ...]
    silences: tuple[tuple[int, int], ...]  # (first, length) in runs
    relations: str


@dataclass(frozen=True, slots=True)
class History:
    """All that the template needs to draw the chapter."""

    runs: int
    rows: tuple[Row, ...]
    left_out: int
    ticks: tuple[Tick, ...]
    summary: str
    note: str


def draw_history(lineage: Lineage, anchors: Mapping[str, str]) -> History | None:
    """Lay out the lineage of a run; None where there is but one run to tell of. `anchors`: campaign → its chapter."""
    moments = sorted({step.until for one in lineage.records for step in one.steps})[-MOST_RUNS:]
    if len(moments) < 2:
        return None
    place = {moment: at for at, moment in enumerate(moments)}
    told = [one for one in lineage.records if one.steps and one.steps[-1].until in place]
    told.sort(key=lambda one: (one.status in GONE, -_size(one), one.campaign_id))
    largest = max((_size(one) for one in told), default=1)
    rows = tuple(_row(one, place, largest, anchors) for one in told[:MOST_ROWS])
    quiet = sum(one.status is Status.QUIET for one in told)
    return History(
        runs=len(moments),
        rows=rows,
        left_out=len(told) - len(rows),
        ticks=_ticks(moments),
        summary=f"{plural(len(told), 'campaign')} over {plural(len(moments), 'run')}, {quiet} of them quiet now.",
        note=lineage.note,
    )


def _size(record: Record) -> int:
    return max((step.accounts for step in record.steps), default=0)


def _row(record: Record, place: Mapping[dt.datetime, int], largest: int, anchors: Mapping[str, str]) -> Row:
    marks = tuple(
        Mark(
            place[step.until],
            round(max(100 * (step.accounts / largest) ** 0.5, 12.0), 1),  # by area: campaigns differ by powers of ten
            HUES.get(step.status, PLAIN),
            f"{day(step.until)}: {step.status}, {plural(step.accounts, 'account')}, "
            f"{plural(step.exchanges, 'exchange')}",
        )
        for step in record.steps
        if step.until in place and step.status not in GONE
    )
    anchor = anchors.get(record.campaign_id)
    return Row(record.campaign_id, anchor, record.status, marks, _silences(marks, len(place)), _relations(record))


def _silences(marks: Sequence[Mark], runs: int) -> tuple[tuple[int, int], ...]:
    """Return the stretches of runs after its first in which a campaign was not seen."""
    places = [mark.x for mark in marks]
    ends = [*places[1:], runs]
    return tuple((at + 1, end - at - 1) for at, end in zip(places, ends, strict=True) if end - at > 1)


def _relations(record: Record) -> str:
    parts = []
    if record.parents:
        verb = "from" if record.steps[0].status is Status.SPLIT else "holds"
        parts.append(f"{verb} {sentence_list(record.parents)}")
    if record.children:
        verb = "now part of" if record.status is Status.ABSORBED else "split into"
        parts.append(f"{verb} {sentence_list(record.children)}")
    if record.status is Status.RETURNED:
        parts.append(f"known again by {record.because}")
    return "; ".join(parts)


def _ticks(moments: Sequence[dt.datetime]) -> tuple[Tick, ...]:
    step = -(-len(moments) // MOST_LABELS)
    return tuple(
        Tick(round(100 * (at + 0.5) / len(moments), 2), day(moment).rsplit(" ", 1)[0])
        for at, moment in enumerate(moments)
        if at % step == 0
    )
