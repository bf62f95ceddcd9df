"""What a gateway had recorded before a demonstration began: a log of the lab, moved so that its ban falls on now."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.apps.gateway.apis.naming import Namer
from stillwatch.apps.gateway.places import Places
from stillwatch.apps.gateway.recording.layout import Layout
from stillwatch.apps.gateway.recording.rows import SCHEMA
from stillwatch.apps.gateway.recording.segments import WITH, write_segment
from stillwatch.lab.evaluate.failover import pools
from stillwatch.lab.evaluate.tables import MOMENT, Tables
from stillwatch.lab.truth import Truth

CHAT, MESSAGES = "chat.completions", "messages"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Past:
    """A log split at its ban: what was before, and what each party sends afterwards, in its order."""

    rows: pa.Table  # before
    accounts: pa.Table
    first: tuple[Row, ...]  # requests of accounts that harvested before
    second: tuple[Row, ...]  # of those who take over
    innocent: tuple[Row, ...]  # of look-alikes in turn, and of ordinary customers
    classes: Mapping[str, str]  # innocent account → which look-alike it is


def split(tables: Tables, truth: Truth, now: int) -> Past:
    """Move a log so that its ban falls on `now` (µs), and split it there."""
    assert tables.accounts is not None
    ban, second = pools(tables, truth)
    moved = _moved(tables.exchanges, "ts", now - ban).sort_by("ts")
    ts = pc.cast(moved["ts"], pa.int64())
    before = moved.filter(pc.less(ts, now))
    after = moved.filter(pc.greater_equal(ts, now)).to_pylist()
    gang = {name for name, campaign in truth.campaign.items() if campaign == truth.campaign[min(second)]}
    first = [row for row in before.to_pylist() if row["account_id"] in gang - second]
    innocent = [row for row in after if truth.innocent(row["account_id"])]
    classes = {row["account_id"]: truth.lookalike.get(row["account_id"]) or "ordinary" for row in innocent}
    accounts = tables.accounts
    for name in ("created_at", "suspended_at"):
        accounts = _moved(accounts, name, now - ban)
    at = accounts.column_names.index("suspended_at")
    nobody = pa.nulls(accounts.num_rows, MOMENT)  # nobody was suspended yet: that is for the gateway to propose
    return Past(
        before,
        accounts.set_column(at, "suspended_at", nobody),
        tuple(first[::-1]),
        tuple(row for row in after if row["account_id"] in second),
        tuple(_in_turn(innocent, classes)),
        classes,
    )


def lay_down(past: Past, places: Places, now: int) -> int:
    """Write what was before as a segment that waits for the watcher; return how many exchanges it holds."""
    name = Namer(places.secret)
    rows = past.rows
    for column in ("artefacts_in", "artefacts_out"):  # the gateway keeps no handle itself, only its keyed hash
        hashed = [[name(each) for each in held] if held else None for held in rows[column].to_pylist()]
        rows = rows.set_column(rows.column_names.index(column), column, pa.array(hashed, pa.list_(pa.string())))
    endpoint = [MESSAGES if each == "/v1/messages" else CHAT for each in rows["endpoint"].to_pylist()]
    rows = rows.set_column(rows.column_names.index("endpoint"), "endpoint", pa.array(endpoint))
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in SCHEMA
    ]
    path = Layout(places.recording.folder).make().waiting / f"{now:016d}-history.parquet"
    write_segment(pa.Table.from_arrays(columns, schema=SCHEMA), path, (), WITH)
    return int(rows.num_rows)


def write_accounts(past: Past, path: Path) -> None:
    """Write the table of accounts."""
    pq.write_table(past.accounts, path)


def _moved(table: pa.Table, name: str, by: int) -> pa.Table:
    moved = pc.add(table[name], pa.scalar(dt.timedelta(microseconds=by), pa.duration("us")))
    return table.set_column(table.column_names.index(name), name, moved.cast(MOMENT))


def _in_turn(rows: Sequence[Row], classes: Mapping[str, str]) -> Iterator[Row]:
    """One request of each look-alike in turn, so that all of them come to word early."""
    by_class: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_class[classes[row["account_id"]]].append(row)
    for turn in zip_longest(*by_class.values()):
        yield from (row for row in turn if row is not None)
