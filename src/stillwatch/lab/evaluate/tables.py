"""A log's tables as they looked at an hour in the past, or with columns that a deployment may not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HOUR = 3_600_000_000  # microseconds
MOMENT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Tables:
    """What `stillwatch.detect` is given."""

    exchanges: pa.Table
    accounts: pa.Table | None
    licences: Path | None

    @property
    def start(self) -> int:
        """Microseconds of the first exchange."""
        return int(pc.min(self.exchanges["ts"]).cast(pa.int64()).as_py())

    @property
    def end(self) -> int:
        """Microseconds after the last exchange."""
        return int(pc.max(self.exchanges["ts"]).cast(pa.int64()).as_py()) + 1


def load(folder: Path) -> Tables:
    """Read the log that `stillwatch-lab generate` wrote."""
    return Tables(
        pq.read_table(folder / "exchanges.parquet"), pq.read_table(folder / "accounts.parquet"), folder / "licences.csv"
    )


def until(tables: Tables, end: int) -> Tables:
    """What was known at `end`: no later exchange, no account created later, no suspension that was still to come."""
    now = pa.scalar(end, pa.int64()).cast(MOMENT)
    ts = tables.exchanges["ts"].cast(pa.int64()).to_numpy()
    if np.all(ts[1:] >= ts[:-1]):
        seen = tables.exchanges.slice(0, int(np.searchsorted(ts, end)))
    else:
        seen = tables.exchanges.filter(pc.less(tables.exchanges["ts"], now))
    if tables.accounts is None:
        return replace(tables, exchanges=seen)
    there = pc.fill_null(pc.less(tables.accounts["created_at"], now), True)
    accounts = tables.accounts.filter(there)
    at = accounts.column_names.index("suspended_at")
    told = pc.if_else(pc.less(accounts["suspended_at"], now), accounts["suspended_at"], pa.scalar(None, MOMENT))
    return Tables(seen, accounts.set_column(at, "suspended_at", told), tables.licences)


def without(tables: Tables, exchanges: Sequence[str] = (), accounts: Sequence[str] | None = ()) -> Tables:
    """The same log without some columns; `accounts=None` takes the whole table of accounts away."""
    left = tables.exchanges.drop_columns([name for name in exchanges if name in tables.exchanges.column_names])
    if accounts is None or tables.accounts is None:
        return Tables(left, None, tables.licences)
    return Tables(left, tables.accounts.drop_columns(list(accounts)), tables.licences)
