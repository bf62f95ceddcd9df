"""Parquet files, and the tables in memory that are read like them: typed columns, rows numbered from 1."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest.engine import BATCH_ROWS, Engine
from stillwatch.ingest.raw import Raw
from stillwatch.ingest.sources import MEMORY, PARQUET, TABLE, Origin
from stillwatch.ingest.tables import evenly, stored
from stillwatch.model import InputRefused

NUMBER = "_stillwatch_row"  # in frames that are handed over; no user's column is called that


def schema_of(path: Path) -> tuple[pa.Schema, int]:
    """Return a file's columns and its number of rows. Raises InputRefused when it is not a whole Parquet file."""
    try:
        with pq.ParquetFile(path) as file:
            return file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise InputRefused(
            "is not a whole Parquet file (damaged, truncated or another format); copy it again"
        ) from error


def open_files(paths: Sequence[str], engine: Engine, bound: Mapping[str, str]) -> Raw:
    """Open files of one schema as one table, in the order given."""
    names = {f"c_{ours}": theirs for ours, theirs in bound.items()}
    return Raw(engine.number_parquet("files", paths, names), {ours: f"c_{ours}" for ours in bound}, {})


def open_table(source: Any, engine: Engine, bound: Mapping[str, str]) -> Raw:
    """Open a table that the engine owns, by its name or as an Ibis table, as one input."""
    names = {f"c_{ours}": theirs for ours, theirs in bound.items()}
    return Raw(engine.number_table("table", source, names), {ours: f"c_{ours}" for ours in bound}, {})


def open_frame(frame: pa.Table, engine: Engine, bound: Mapping[str, str]) -> Raw:
    """Open a table in memory; the engine reads it where it lies."""
    numbered = frame.append_column(NUMBER, pa.array(np.arange(1, frame.num_rows + 1)))
    table = engine.con.table(engine.lend("frame", numbered))
    return Raw(*_pick(table, bound, table[NUMBER].name("_row")), {})


def frame_of(origin: Origin, bound_names: Sequence[str] | None = None) -> pa.Table:
    """Return a frame as Arrow, dictionaries decoded and only the columns asked for. Raises InputRefused."""
    data: Any = origin.data
    names = [name for name in columns_of_frame(origin) if bound_names is None or name in bound_names]
    try:
        if origin.label == "<pandas>":
            data = pa.Table.from_pandas(data[names], preserve_index=False)
        elif origin.label == "<polars>":
            data = data.select(names).to_arrow()
        data = data.select(names)
        plain = [pa.field(f.name, _plain(f.type)) for f in data.schema]
        return data.cast(pa.schema(plain))
    except (pa.ArrowException, TypeError) as error:
        raise InputRefused("holds a column of mixed types; make each column one type, or write it as NDJSON") from error


def columns_of_frame(origin: Origin) -> list[str]:
    """Return the names of a frame's columns, whichever library made it."""
    names = origin.data.column_names if origin.label == "<arrow>" else origin.data.columns
    return [str(name) for name in names]


def fetch_table(origin: Origin, engine: Engine, names: Sequence[str]) -> Path:
    """Bring a table from elsewhere, or an Ibis table of whatever backend, to the scratch folder, batch by batch.

    Returns a Parquet file with the columns asked for. Raises InputRefused when the table cannot be read to its end.
    """
    path = engine.scratch / f"{engine.name('table')}.parquet"
    if origin.format == TABLE:
        batches = origin.data.batches(names)
        first = next(batches, None)
        kinds = first.schema if first is not None else pa.schema([(name, pa.string()) for name in names])
        batches = itertools.chain([] if first is None else [first], batches)
    else:
        wanted = origin.data.select(*names)
        kinds, batches = wanted.schema().to_pyarrow(), wanted.to_pyarrow_batches(chunk_size=BATCH_ROWS)
    schema = pa.schema([pa.field(f.name, stored(f.type)) for f in kinds])
    with warnings.catch_warnings(), pq.ParquetWriter(path, schema, compression="lz4") as writer:
        warnings.simplefilter("ignore", DeprecationWarning)  # between ibis 12 and its backends, not ours
        for rows in evenly(batches, schema):
            writer.write_table(rows)
    return path


def as_file(origin: Origin, engine: Engine) -> Origin:
    """Return a table in memory or elsewhere as a Parquet file of the scratch folder; a file as it is."""
    if origin.format not in (MEMORY, TABLE):
        return origin
    if origin.format == TABLE:
        path = fetch_table(origin, engine, origin.data.columns())
    elif origin.label == "<ibis>":
        path = fetch_table(origin, engine, origin.data.columns)
    else:
        path = engine.scratch / f"{engine.name('frame')}.parquet"
        pq.write_table(frame_of(origin), path, compression="lz4", row_group_size=BATCH_ROWS)
    return replace(origin, path=path, format=PARQUET, data=None)


def digest_of_frame(frame: pa.Table) -> str:
    """Return the SHA-256 of a table's Arrow stream."""
    sink = _HashSink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), frame.schema) as writer:
        writer.write_table(frame, max_chunksize=BATCH_ROWS)
    return sink.sha256.hexdigest()


class _HashSink:
    closed = False

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing to close."""


def _plain(kind: pa.DataType) -> pa.DataType:
    return _plain(kind.value_type) if pa.types.is_dictionary(kind) else kind


def _pick(table: Any, bound: Mapping[str, str], *numbers: ibis.Value) -> tuple[Any, dict[str, str]]:
    picked = table.select(*numbers, *(table[theirs].name(f"c_{ours}") for ours, theirs in bound.items()))
    return picked, {ours: f"c_{ours}" for ours in bound}
