"""Tables that lie elsewhere, named by a URL: `SCHEME://PLACE::TABLE`. The one place that takes such a URL apart.

duckdb:///logs/gateway.duckdb::exchanges      a table or view of a DuckDB file
postgresql://reader@db:5432/logs::public.log  a table or view of a PostgreSQL database
delta:///lake/exchanges                       a Delta folder
iceberg:///lake/exchanges                     an Iceberg folder, or one of its metadata files
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import pyarrow as pa

from stillwatch.ingest.engine import BATCH_ROWS
from stillwatch.model import InputRefused, MissingDependency, UsageError

URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>.*?)(?:::(?P<table>[^]:/?@]*))?$", re.DOTALL)
SHOWN = 8  # tables listed in a message


class Table(Protocol):
    """A table somewhere else. Both methods raise InputRefused, with the mend and without credentials."""

    def columns(self) -> list[str]:
        """Return the names of its columns."""

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some of its columns, batch by batch, in the order in which the table has its rows."""


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's URL in parts. `place` may hold credentials, `label` never does."""

    scheme: str
    place: str
    table: str = ""

    @property
    def label(self) -> str:
        """Return the URL as it may be printed and recorded."""
        place = self.place
        if self.scheme in WITH_CREDENTIALS:
            place = place.partition("?")[0].rpartition("@")[2]
        return f"{self.scheme}://{place}" + (f"::{self.table}" if self.table else "")


def parse_url(text: str) -> TableName | None:
    """Return the table that a text names, or None for a path. Raises UsageError for a scheme that is not ours."""
    found = URL.match(text)
    if found is None:
        return None
    scheme = ALIASES.get(found["scheme"].lower(), found["scheme"].lower())
    if scheme not in OPENERS:
        raise UsageError(f"{scheme}://…: unknown kind of table; one of {', '.join(f'{name}://' for name in OPENERS)}")
    return TableName(scheme, found["place"], found["table"] or "")


def open_table(name: TableName) -> Table:
    """Return the table of a URL; nothing is connected to yet. Raises MissingDependency, or InputRefused."""
    return OPENERS[name.scheme](name)


def needed(module: str, extra: str) -> ModuleType:
    """Import an optional package. Raises MissingDependency with what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0].replace("_", "-")
        raise MissingDependency(f'reading {extra} tables needs {package}: pip install "stillwatch[{extra}]"') from error


def unknown_table(asked: str, there: Sequence[str]) -> InputRefused:
    """Return the error for a table that is not there: near names first, then what else there is."""
    if not there:
        return InputRefused(f"has no table '{asked}', nor any other" if asked else "holds no table")
    near = difflib.get_close_matches(asked, there, n=3, cutoff=0.5)
    listed = [*near, *(each for each in there if each not in near)]
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    hint = f"did you mean '::{near[0]}'? " if near else ""
    said = f"has no table '{asked}'; {hint}" if asked else "name a table of it behind '::'; "
    return InputRefused(f"{said}it has {', '.join(listed[:SHOWN])}{more}")


def evenly(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield rows in tables of BATCH_ROWS, however they came: what is written must not depend on a network's pace."""
    held: list[pa.Table] = []
    rows = 0
    for batch in batches:
        held.append(pa.Table.from_batches([batch]).cast(schema))
        rows += batch.num_rows
        while rows >= BATCH_ROWS:
            joined = pa.concat_tables(held)
            yield joined.slice(0, BATCH_ROWS).combine_chunks()
            held, rows = [joined.slice(BATCH_ROWS)], rows - BATCH_ROWS
    if rows:
        yield pa.concat_tables(held).combine_chunks()


def stored(kind: pa.DataType) -> pa.DataType:
    """Return the plain type that a column is kept as: text and lists have many kinds in Arrow, and serve alike."""
    if pa.types.is_dictionary(kind):
        return stored(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return stored(kind.storage_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(stored(kind.value_type))
    return kind


def _duckdb(name: TableName) -> Table:
    from stillwatch.ingest.databases import DuckDBTable

    return DuckDBTable(name)


def _postgresql(name: TableName) -> Table:
    from stillwatch.ingest.databases import PostgreSQLTable

    return PostgreSQLTable(name)


def _delta(name: TableName) -> Table:
    from stillwatch.ingest.lakes import DeltaTable

    return DeltaTable(name)


def _iceberg(name: TableName) -> Table:
    from stillwatch.ingest.lakes import IcebergTable

    return IcebergTable(name)


# each opener imports its module when it is asked, so that a path costs nothing
OPENERS: Mapping[str, Callable[[TableName], Table]] = {
    "duckdb": _duckdb,
    "postgresql": _postgresql,
    "delta": _delta,
    "iceberg": _iceberg,
}
ALIASES = {"postgres": "postgresql"}
WITH_CREDENTIALS = frozenset({"postgresql"})
