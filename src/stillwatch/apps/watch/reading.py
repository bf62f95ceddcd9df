"""A batch to judged rows on disk, each with the window it waits for, and what was left out with its reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.apps.disk import fsync
from stillwatch.apps.watch.sources import Batch
from stillwatch.apps.watch.state import Spooled
from stillwatch.apps.watch.windows import Moment
from stillwatch.ingest.adapters.choose import Asked
from stillwatch.ingest.columns import EXCHANGE_COLUMNS
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.inspect import inspect_all
from stillwatch.ingest.read import Ingested, read_exchanges
from stillwatch.ingest.records import REJECTED
from stillwatch.ingest.sources import Origin
from stillwatch.model import InputRefused

WINDOW = "_until"  # end of the window that a row waits for
NOT_KEPT = ("response",)  # no signal reads it
WHOLE_FILE = "<file>"
EARLIER = re.compile(r"(.* appears before, at )(.*):(\d+)(; the first is kept)$", re.S)


@dataclass(frozen=True, slots=True)
class Reader:
    """How to read: an engine for each batch, and their names for our columns."""

    engine: Callable[[], Engine]
    fields: Mapping[str, str]


def spool(batch: Batch, moment: Moment, reader: Reader, at: tuple[int, Path]) -> tuple[Spooled | None, dict[str, str]]:
    """Read a batch into a spool file (`at`: its number and path); return what it holds, and which origins are refused.

    Nothing of a refused origin is in the file. None when the batch holds neither good rows nor bad ones.
    """
    number, path = at
    with reader.engine() as engine:
        ingested, refused = _read(batch.origins, engine, reader.fields)
        if ingested is None or not ingested.rows_read:
            return None, refused
        ends, rows, late = _write(engine, ingested, moment, path)
    rejected = renumber(_rows_only(ingested.rejected), batch.places)
    if rejected.num_rows:
        beside = path.with_suffix(".rejected.parquet")
        pq.write_table(rejected, beside, compression="zstd")
        fsync(beside)
    fsync(path)
    fsync(path.parent)
    ends = ends or [moment.first_open()]
    return Spooled(number, min(ends), max(ends), rows, late, rejected.num_rows), refused


def _read(
    origins: Sequence[Origin], engine: Engine, fields: Mapping[str, str]
) -> tuple[Ingested | None, dict[str, str]]:
    """Read origins together; those that cannot be read are named with their mends.

    A piece of a log is read for what it shows, like a file. A few lines may show too little, or be bad every one: then
    it is read again for what the log is known to have, and each line is judged by itself.
    """
    ingested, refused = _try([replace(each, columns=None) for each in origins], engine, fields)
    if any(each.label in refused and each.columns is not None for each in origins):
        again = [each if each.label in refused else replace(each, columns=None) for each in origins]
        ingested, refused = _try(again, engine, fields)
    return ingested, refused


def _try(origins: list[Origin], engine: Engine, fields: Mapping[str, str]) -> tuple[Ingested | None, dict[str, str]]:
    try:
        ingested = read_exchanges(origins, engine, _fitting(fields, origins, engine))
    except InputRefused as error:  # not one of them can be
        return None, {each.label: _own(each.label, str(error)) for each in origins}
    whole = [row for row in ingested.rejected.to_pylist() if row["field"] == WHOLE_FILE]
    return ingested, {row["file"]: row["mend"] for row in whole}


def _fitting(fields: Mapping[str, str], origins: Sequence[Origin], engine: Engine) -> Mapping[str, str]:
    """The names that some origin has: a batch is a part of the log, and need not have what another part has."""
    if not fields:
        return fields
    asked = Asked(EXCHANGE_COLUMNS, fields)
    found = {name for each in inspect_all(origins, engine, asked)[0] for name in each.columns}
    return {theirs: ours for theirs, ours in fields.items() if theirs in found}


def _own(label: str, told: str) -> str:
    """The line of an error that is about one input."""
    mine = [line.removeprefix(f"{label}: ") for line in told.splitlines() if line.startswith(f"{label}: ")]
    return mine[0] if mine else told


def _rows_only(rejected: pa.Table) -> pa.Table:
    return rejected.filter(pa.array([field != WHOLE_FILE for field in rejected["field"].to_pylist()], pa.bool_()))


def _write(engine: Engine, ingested: Ingested, moment: Moment, path: Path) -> tuple[list[int], int, int]:
    table = ingested.table.drop(*NOT_KEPT)
    schema = table.schema().to_pyarrow().append(pa.field(WINDOW, pa.int64()))
    ends: list[int] = []
    rows = late = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in engine.stream(table):
            each, behind = moment.ends(batch["ts"].cast(pa.int64()).to_numpy())
            writer.write_table(pa.Table.from_batches([batch]).append_column(WINDOW, pa.array(each)).cast(schema))
            ends += [int(each.min()), int(each.max())] if len(each) else []
            rows += len(each)
            late += behind
    return ends, rows, late


def renumber(rejected: pa.Table, places: Mapping[str, int | np.ndarray]) -> pa.Table:
    """Say of rows of a copy where they stood in what was copied."""

    def place(label: str, row: int) -> int:
        known = places.get(label, 0)
        return row + known if isinstance(known, int) else int(known[row - 1])

    def told(row: dict[str, object]) -> dict[str, object]:
        mend = EARLIER.match(str(row["mend"]))
        if mend:
            said, label, first, rest = mend.groups()
            row["mend"] = f"{said}{label}:{place(label, int(first))}{rest}"
        return row | {"row": place(str(row["file"]), int(str(row["row"])))}

    return pa.Table.from_pylist([told(row) for row in rejected.to_pylist()], schema=REJECTED)
