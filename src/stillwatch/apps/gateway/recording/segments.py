"""Segments of the exchange log: Parquet files that say what they were made of, and whether text is in them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.apps.gateway.recording.layout import put
from stillwatch.ingest.engine import ROW_GROUP

MADE_OF = b"stillwatch.made_of"  # names of the files whose rows these are, as JSON
TEXT = b"stillwatch.text"
WITH, WITHOUT = "with", "without"


def write_segment(table: pa.Table, path: Path, made_of: Sequence[str], text: str) -> None:
    """Write a segment under its name, whole and on the disk, readable by its owner only."""
    told = {MADE_OF: json.dumps(list(made_of)).encode(), TEXT: text.encode()}
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        pq.write_table(table.replace_schema_metadata(told), stream, compression="zstd", row_group_size=ROW_GROUP)
    put(fresh, path)


def write_parts(parts: Sequence[Path], path: Path) -> None:
    """Write the rows of several segments of one kind as one, a row group at a time."""
    first = pq.read_schema(parts[0])
    told = {**(first.metadata or {}), MADE_OF: json.dumps([part.name for part in parts]).encode()}
    fresh = path.with_name(f".{path.name}.new")
    with (
        os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream,
        pq.ParquetWriter(stream, first.with_metadata(told), compression="zstd") as writer,
    ):
        for part in parts:
            with pq.ParquetFile(part) as file:
                for number in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(number))
    put(fresh, path)


def read_segment(path: Path) -> pa.Table:
    """Return the rows of a segment."""
    with pq.ParquetFile(path) as file:
        return file.read()


def made_of(path: Path) -> list[str]:
    """Return the names of the files whose rows a segment has."""
    found = _told(path).get(MADE_OF)
    return [] if found is None else [str(name) for name in json.loads(found)]


def has_text(path: Path) -> bool:
    """Whether prompts are in a segment."""
    return _told(path).get(TEXT) != WITHOUT.encode()


def _told(path: Path) -> dict[bytes, bytes]:
    with pq.ParquetFile(path) as file:
        return file.schema_arrow.metadata or {}
