"""A small exchange log, account table and licence table as Arrow, read as a run reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_accounts, read_exchanges, read_licences
from stillwatch.sketch.exchanges import SketchedExchanges, sketch_exchanges
from stillwatch.sketch.population import Population, summarise_accounts
from stillwatch.sketch.text import SketchKey

KEY = SketchKey.from_secret(b"test")
MIDNIGHT = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
MIDNIGHT_US = int(MIDNIGHT.timestamp()) * 1_000_000


@dataclass(frozen=True)
class Read:
    """A log read, sketched and summed up in one engine."""

    engine: Engine
    exchanges: SketchedExchanges
    population: Population

    def licences(self, rows: list[dict[str, Any]]) -> pa.Table:
        return self.engine.arrow(read_licences(table(rows), self.engine).table)

    def row(self, account: str) -> int:
        return self.population.ids.to_pylist().index(account)

    def used(self, account: str, column: str) -> int:
        return int(self.population.usage[column][self.row(account)])


def at(minutes: float) -> dt.datetime:
    return MIDNIGHT + dt.timedelta(minutes=minutes)


def exchange(number: int, account: str, minutes: float, **other: Any) -> dict[str, Any]:
    """One exchange; `other` replaces or adds values."""
    return {
        "exchange_id": f"e{number:05d}",
        "ts": at(minutes),
        "account_id": account,
        "model": "m-1",
        "template_key": "T",
        "fill_hash": f"f{number}",
    } | other


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})


@contextmanager
def read(folder: Path, rows: Sequence[dict[str, Any]], accounts: Sequence[dict[str, Any]] = ()) -> Iterator[Read]:
    with Engine(folder) as engine:
        exchanges, _ = sketch_exchanges(engine, read_exchanges(table(rows), engine), KEY)
        own, present = None, frozenset[str]()
        if accounts:
            ingested = read_accounts(table(accounts), engine)
            own, present = engine.arrow(ingested.table), ingested.present - {"account_id"}
        yield Read(engine, exchanges, summarise_accounts(engine, exchanges, own, present))
