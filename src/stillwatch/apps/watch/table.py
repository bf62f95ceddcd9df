"""A table that grows: rows are read once, in the order of a column that never falls (an id, or a time of insertion).

A row may become visible after one with a higher value, when its transaction ends later. So a value counts only when it
was seen to be reached a while ago: whatever is below it had that long to appear.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from stillwatch.apps.watch.disk import FULL
from stillwatch.apps.watch.sources import Batch, Position, SourceLost
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.parquet import fetch_table
from stillwatch.ingest.sources import MEMORY, PARQUET, Origin
from stillwatch.model import StillwatchError, UsageError

DATABASES = (".duckdb", ".ddb", ".db")
Connect = Callable[[], Any]  # an Ibis backend


def connect_to(place: str) -> Any:
    """Open a DuckDB file for reading only, or whatever a URL that Ibis knows leads to."""
    if place.lower().endswith(DATABASES) and "://" not in place:
        if not Path(place).is_file():
            raise SourceLost(f"{place}: there is no such file")
        return ibis.duckdb.connect(place, read_only=True)
    return ibis.connect(place)


@dataclass
class Table:
    """One table, read by a column that never falls; `patience` is how long (µs) a value waits before it counts."""

    name: str  # of the table
    by: str
    connect: Connect
    scratch: Path
    columns: tuple[str, ...]  # that are of use
    patience: int
    _marks: list[tuple[int, Any]] = field(default_factory=list)  # when, and the highest value then
    _read_until: int = 0
    _unsettled: bool = True

    def sweep(self, position: Position, now: int, /) -> Iterator[Batch]:
        """Yield the rows above the position, up to the highest value that has waited long enough."""
        try:
            source = self.connect()
        except StillwatchError:
            raise
        except Exception as error:  # each backend has errors of its own, and their words may hold the password
            raise SourceLost(f"table {self.name}: cannot be reached ({type(error).__name__})") from None
        try:
            yield from self._batches(source, position.get("high"), now)
        finally:
            source.disconnect()

    def read_until(self, now: int, /) -> int:
        """The moment at which everything that was read had already been seen."""
        return min(now, self._read_until)

    def unsettled(self) -> bool:
        """Whether values were seen that have not waited long enough."""
        return self._unsettled

    def _batches(self, source: Any, high: Any, now: int) -> Iterator[Batch]:
        try:
            table = source.table(self.name)
            if self.by not in table.columns:
                raise UsageError(f"table {self.name} has no column {self.by!r}; give --by a column that never falls")
            kind = table[self.by].type()
            if not (kind.is_integer() or kind.is_timestamp()):
                raise UsageError(f"table {self.name}: {self.by!r} is {kind}; --by needs whole numbers or times")
            upto = self._count_on(table, now)
            origin = self._fetch(table, high, upto) if upto is not None and upto != high else None
        except StillwatchError:
            raise
        except Exception as error:
            if getattr(error, "errno", None) in FULL:
                raise
            raise SourceLost(f"table {self.name}: cannot be read ({type(error).__name__})") from None
        if origin is not None:
            try:
                yield Batch((origin,), lambda _: {"high": upto})
            finally:
                origin.path.unlink(missing_ok=True)

    def _count_on(self, table: ir.Table, now: int) -> Any:
        """The highest value that was already there a while ago; notes the highest of now."""
        self._marks = [mark for mark in self._marks if mark[0] <= now]  # the clock was set back: wait again
        self._marks.append((now, _plain(table[self.by].max().to_pyarrow().as_py())))
        old = [mark for mark in self._marks if mark[0] <= now - self.patience]
        if not old:
            self._unsettled = True
            return None
        self._marks = [mark for mark in self._marks if mark[0] >= old[-1][0]]
        self._read_until, upto = old[-1]
        self._unsettled = any(value != upto for _, value in self._marks)
        return upto

    def _fetch(self, table: ir.Table, high: Any, upto: Any) -> Origin:
        rows = table.filter(table[self.by] <= _literal(upto))
        if high is not None:
            rows = rows.filter(table[self.by] > _literal(high))
        label = f"{self.name} ({self.by} {'from the first' if high is None else f'after {high}'} to {upto})"
        with warnings.catch_warnings(), Engine(self.scratch) as engine:
            warnings.simplefilter("ignore", DeprecationWarning)  # between ibis 12 and its backends, not ours
            names = [name for name in table.columns if name in self.columns]
            fetched = fetch_table(Origin("<ibis>", Path(), MEMORY, data=rows.order_by(self.by)), engine, names)
            path = fetched.rename(self.scratch / "table.parquet")
        return Origin(label, path, PARQUET)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _literal(value: Any) -> Any:
    return ibis.literal(dt.datetime.fromisoformat(value)) if isinstance(value, str) else value
