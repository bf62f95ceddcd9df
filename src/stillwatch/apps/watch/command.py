"""`stillwatch watch`: from the words of the command line to a watcher, and from its verdicts to a line each."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import stillwatch as sw
from stillwatch.apps.output import check_out
from stillwatch.apps.watch.concluding import way_to_conclude
from stillwatch.apps.watch.files import Files
from stillwatch.apps.watch.loop import Surroundings, forever, once, stopping
from stillwatch.apps.watch.sources import Source, known_columns
from stillwatch.apps.watch.state import Store
from stillwatch.apps.watch.table import Table, connect_to
from stillwatch.apps.watch.topic import SCHEME, Topic
from stillwatch.apps.watch.watcher import Plan, Verdicts
from stillwatch.apps.watch.windows import SECOND, Grid
from stillwatch.ingest.columns import EXCHANGE_COLUMNS
from stillwatch.ingest.fields import check_fields
from stillwatch.model import UsageError, VerdictKind

UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": 86_400 * SECOND}
GRAVE = (VerdictKind.SUSPECT.value, VerdictKind.DISTILLATION.value)
NEW, GROWN = ("born", "returned", "split"), ("grew", "merged")


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command, as they were given."""

    sources: Sequence[str]
    out: Path
    state: Path
    accounts: str | None = None
    licences: str | None = None
    templates: Path | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    table: str | None = None
    by: str | None = None
    every: str = "1h"
    lateness: str = "20s"
    poll: str = "5s"
    keep: int | None = None
    once: bool = False
    fold: bool = False


def watch(asked: Asked, verdicts: Callable[[Verdicts], None], tell: Callable[[str], None]) -> bool:
    """Watch until told to stop, or once; return whether the last run holds a campaign that is suspect or worse."""
    check_fields(asked.fields, EXCHANGE_COLUMNS, ())
    check_out(asked.out)
    grid = Grid(microseconds("--every", asked.every), microseconds("--lateness", asked.lateness))
    poll = microseconds("--poll", asked.poll)
    _check_places(asked)
    store = Store(asked.state)
    settings = sw.Settings(fields={}, templates=asked.templates, scratch=store.scratch)
    plan = Plan(
        sources=tuple(_source(name, asked, store, grid, tell) for name in asked.sources),
        conclude=way_to_conclude(asked.accounts, asked.licences, settings, fold=asked.fold),
        out=asked.out,
        fields=asked.fields,
        grid=grid,
        keep=None if asked.keep is None else asked.keep * UNITS["d"],
    )
    world = Surroundings(_now, lambda wait: time.sleep(wait / SECOND), verdicts, tell)
    with stopping():
        if asked.once:
            once(plan, store, world)
        else:
            forever(plan, store, world, poll)
    return _grave(asked.out)


def microseconds(option: str, text: str) -> int:
    """Read a length of time such as 90s, 15m, 1h or 1d. Raises UsageError."""
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found or not int(found[1]):
        raise UsageError(f"{option} {text}: expected a length of time such as 90s, 15m, 1h or 1d")
    return int(found[1]) * UNITS[found[2]]


def _now() -> int:
    return time.time_ns() // 1_000


def _source(name: str, asked: Asked, store: Store, grid: Grid, tell: Callable[[str], None]) -> Source:
    columns = known_columns(asked.fields)
    if name.startswith(SCHEME):
        return Topic(name, store.scratch, columns, tell)
    if asked.table is not None:
        if asked.by is None:
            raise UsageError("--table needs --by, a column that never falls: an id, or a time of insertion")
        return Table(asked.table, asked.by, lambda: connect_to(name), store.scratch, columns, grid.lateness)
    return Files(name, store.scratch, columns, tell)


def _check_places(asked: Asked) -> None:
    for name in asked.sources:
        folder = Path(name).resolve()
        for option, place in (("--out", asked.out), ("--state", asked.state)):
            if folder.is_dir() and place.resolve().is_relative_to(folder):
                raise UsageError(f"{option} {place}: lies in {name}, which is watched; give it a place elsewhere")
    if asked.table is not None and len(asked.sources) != 1:
        raise UsageError("--table goes with one source: a DuckDB file, or the URL of a database")


def _grave(out: Path) -> bool:
    path = out / "campaigns.parquet"
    return path.is_file() and any(kind in GRAVE for kind in pq.read_table(path)["verdict"].to_pylist())


def as_dict(each: Verdicts) -> dict[str, Any]:
    """What came of one window, for a program."""
    segment, status = each.segment, [story.campaign.status for story in each.run.stories]
    return {
        "since": _iso(segment.since),
        "until": _iso(segment.until),
        "exchanges": segment.rows,
        "late": segment.late,
        "rejected": segment.rejected,
        "campaigns": len(status),
        "new": sum(one in NEW for one in status),
        "grown": sum(one in GROWN for one in status),
        "delay_seconds": round(each.delay, 3),
    }


def as_line(each: Verdicts) -> str:
    """What came of one window, for a person."""
    told = as_dict(each)
    late = f" ({told['late']:,} late)" if told["late"] else ""
    bad = f", {told['rejected']:,} rejected" if told["rejected"] else ""
    return (
        f"{told['since']} to {told['until']}: {told['exchanges']:,} exchanges{late}{bad}; "
        f"{told['campaigns']} campaigns, {told['new']} new, "
        f"{told['grown']} grown; {_span(each.delay)} after the window's end"
    )


def as_json(each: Verdicts) -> str:
    """The same as one line of JSON."""
    return json.dumps(as_dict(each))


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("h", 3_600)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def _iso(moment: int) -> str:
    return dt.datetime.fromtimestamp(moment / SECOND, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
