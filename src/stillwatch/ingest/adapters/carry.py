"""From a foreign file to lines of our own columns, which then go the way of NDJSON: typed, judged, rejected.

Records pass in batches, so memory does not grow with the file. A record that is no exchange is counted and left out; a
record that cannot be read is noted with its place, never with its text.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest import csvs, ndjson
from stillwatch.ingest.adapters import documents, otlp
from stillwatch.ingest.adapters.base import (
    OTHER_SHAPE,
    Adapter,
    Record,
    Row,
    first_address,
    first_of,
    look_up,
    name_key,
)
from stillwatch.ingest.adapters.conversation import read_messages
from stillwatch.ingest.judge import NOT_AN_OBJECT
from stillwatch.ingest.raw import Tally
from stillwatch.ingest.sources import CSV, PARQUET, Origin
from stillwatch.ingest.text import DAMAGED, chunks
from stillwatch.model import InputRefused

TABLE_ROWS = 2_048  # rows of a table at a time; a prompt may be long
BATCH_ROWS, BATCH_BYTES = 10_000, 4 << 20  # of what is handed on
UNREADABLE = "has damaged pages, or is not a whole Parquet file; write it again"


@dataclass(slots=True)
class _Out:
    """Lines that wait to be handed on, and what could not be read."""

    rows: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    size: int = 0
    damaged: list[tuple[int, int, str]] = field(default_factory=list)

    def full(self) -> bool:
        return len(self.rows) + len(self.damaged) >= BATCH_ROWS or self.size >= BATCH_BYTES

    def take(self, tally: Tally) -> pa.RecordBatch:
        tally.rows += len(self.rows) + len(self.damaged)
        if self.damaged:
            columns = [pa.array(each) for each in zip(*self.damaged, strict=True)]
            tally.damaged.append(pa.table(columns, schema=DAMAGED))
        texts = [line.encode("utf-8", "replace") for line in self.lines]
        batch = pa.record_batch([pa.array(self.rows, pa.int64()), pa.array(texts, pa.binary()).cast(pa.string())],
                                schema=ndjson.LINES)  # fmt: skip
        self.rows, self.lines, self.size, self.damaged = [], [], 0, []
        return batch


def adapted_lines(
    origin: Origin, adapter: Adapter, fields: Mapping[str, str], tally: Tally
) -> Iterator[pa.RecordBatch]:
    """Yield (`_row`, JSON of our columns) for every exchange of a file; the tally counts rows, skipped and damaged."""
    return convert(_found(origin, adapter, tally), adapter, fields, tally)


def adapted_batches(
    batches: Iterable[pa.RecordBatch], adapter: Adapter, fields: Mapping[str, str], tally: Tally
) -> Iterator[pa.RecordBatch]:
    """The same for rows of a table in Arrow, from wherever they come: a file, a database, a frame."""
    return convert(_table_records(batches), adapter, fields, tally)


def convert(
    found: Iterable[documents.Found], adapter: Adapter, fields: Mapping[str, str], tally: Tally
) -> Iterator[pa.RecordBatch]:
    """Turn records into lines. Where a record holds several exchanges, rows count these, else records."""
    out, place = _Out(), 0
    for row, length, record in found:
        parts = _parts(adapter, record)
        for part in parts:
            place = max(row, place + 1) if adapter.several else row  # a line that holds one exchange keeps its number
            made = _row_of(adapter, part, fields)
            if made is None:
                tally.skipped += 1
            elif isinstance(made, str):
                out.damaged.append((place, length, made))
            else:
                out.rows.append(place)
                out.lines.append(made_line := json.dumps(made, ensure_ascii=False, default=_plain))
                out.size += len(made_line)
        if out.full():
            yield out.take(tally)
    yield out.take(tally)


def sample(origin: Origin, adapter: Adapter, most: int = 500) -> Iterator[Record]:
    """Yield the first records of a file, those that are whole, for what can be told before it is read."""
    count = 0
    for _, _, record in _found(origin, adapter, Tally()):
        for part in _parts(adapter, record):
            if isinstance(part, dict):
                yield part
            count += 1
            if count >= most:
                return


def exchange_of(adapter: Adapter, record: Record, fields: Mapping[str, str]) -> Row | None:
    """Return the row of a record; None where it is no exchange, or unreadable."""
    made = _row_of(adapter, record, fields)
    return made if isinstance(made, dict) else None


def _parts(adapter: Adapter, record: Record | None) -> list[Any]:
    if record is None:
        return [None]
    parts: list[Any] = []
    try:
        parts.extend(adapter.unpack(record))
    except OTHER_SHAPE:
        parts.append(None)
    return parts


def _row_of(adapter: Adapter, record: Any, fields: Mapping[str, str]) -> Row | str | None:
    """Return the row, None for what is no exchange, or the mend of what cannot be read."""
    if not isinstance(record, dict):
        return NOT_AN_OBJECT if adapter.parse is None else f"is no line of {adapter.title}, nor a JSON object"
    try:
        row = adapter.reads(record)
        if row is not None:
            for theirs, ours in fields.items():
                _give(row, ours, first_of({"": value_of(adapter, record, theirs)}, ""))
    except OTHER_SHAPE:
        return f"has another shape than {adapter.title}; see docs/reference/adapters.md"
    return row


def value_of(adapter: Adapter, record: Record, name: str) -> Any:
    """Return what a user calls `name`: a field of the format (an attribute, metadata), or a key of the record."""
    value = look_up(adapter.fields(record), name)
    return look_up(record, name) if value is None else value


def _give(row: Row, ours: str, value: Any) -> None:
    if value is None:
        return
    if ours == "api_key_id":
        row[ours] = name_key(value)
    elif ours == "ip":
        row[ours] = first_address(value)
    elif ours == "prompt" and not isinstance(value, str):
        row |= read_messages(value)
    else:
        row[ours] = value


def _found(origin: Origin, adapter: Adapter, tally: Tally) -> Iterator[documents.Found]:
    if origin.format == PARQUET:
        yield from _table_records(_parquet(origin))
    elif origin.format == CSV:
        yield from _csv(origin, tally)
    elif adapter.binary and otlp.looks_binary(head_of(origin)):
        yield from ((number, size, request) for number, (size, request) in enumerate(otlp.requests(origin), 1))
    else:
        seen = Tally()
        yield from documents.records(origin, adapter.parse, seen)
        tally.damaged += seen.damaged
        tally.rows += sum(each.num_rows for each in seen.damaged)


def head_of(origin: Origin) -> bytes:
    """Return the first bytes of a text or binary file, unpacked."""
    return next(chunks(origin, 1 << 16), b"")


def _parquet(origin: Origin) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(origin.path) as file:
            yield from file.iter_batches(batch_size=TABLE_ROWS)
    except (pa.ArrowException, OSError) as error:
        raise InputRefused(UNREADABLE) from error


def _csv(origin: Origin, tally: Tally) -> Iterator[documents.Found]:
    names, seen = csvs.columns_of(origin), Tally()
    for batch in csvs.record_batches(origin, seen, {name: name for name in names}):
        values = zip(*(batch[f"c_{name}"].to_pylist() for name in names), strict=True)
        for row, each in zip(batch["_row"].to_pylist(), values, strict=True):
            yield row, sum(map(len, each)), dict(zip(names, each, strict=True))
    tally.damaged += seen.damaged
    tally.rows += sum(each.num_rows for each in seen.damaged)


def _table_records(batches: Iterable[pa.RecordBatch]) -> Iterator[documents.Found]:
    row = 0
    for batch in batches:
        for record in _micros(batch).to_pylist():
            row += 1
            yield row, 0, record


def _micros(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Times in ns as µs, for a Python time holds no more."""
    kinds = [pa.timestamp("us", f.type.tz) if pa.types.is_timestamp(f.type) else f.type for f in batch.schema]
    return pa.RecordBatch.from_arrays(
        [column.cast(kind, safe=False) for column, kind in zip(batch.columns, kinds, strict=True)],
        names=batch.schema.names,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value)
