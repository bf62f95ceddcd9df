"""CSV as RFC 4180 has it (quoted values may hold commas, quotes and line breaks), parted by comma, tab, ';' or '|'."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.raw import Raw, Tally
from stillwatch.ingest.sources import Origin
from stillwatch.ingest.split import WRONG_COUNT, WRONG_QUOTES, gather, split_csv
from stillwatch.ingest.text import DAMAGED, MAX_RECORD, chunks
from stillwatch.model import InputRefused

DELIMITERS = ",\t;|"
PATIENCE = 8 << 20  # bytes a quoted value may span; a prompt of a million tokens stays below
MENDS = {
    WRONG_QUOTES: "has a quote where none may stand; quote the whole value and double the quotes in it",
    WRONG_COUNT: "has {found} values, expected {columns} as in the header; quote values that hold a separator",
}
NOT_UTF8 = "is not valid UTF-8; write the log as UTF-8"


def columns_of(origin: Origin) -> list[str]:
    """Return the names in the header, none for an empty file. Raises InputRefused."""
    first = next(chunks(origin), b"")
    return _header(first)[0] if first.strip() else []


def open_rows(records: pa.RecordBatchReader, engine: Engine, bound: Mapping[str, str]) -> Raw:
    """Open records as raw columns of text, those that serve the contract only."""
    table = engine.con.table(engine.lend("records", records))
    return Raw(table, {ours: f"c_{ours}" for ours in bound}, {})


def schema_of(bound: Mapping[str, str]) -> pa.Schema:
    """Return the columns of `record_batches`."""
    return pa.schema([("_row", pa.int64()), *((f"c_{ours}", pa.string()) for ours in bound)])


def record_batches(origin: Origin, tally: Tally, bound: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """Yield (line number, values) of every whole record; records that are not go to the tally."""
    source, schema = chunks(origin), schema_of(bound)
    first = next(source, b"")
    if not first.strip():
        return
    names, delimiter, at = _header(first)
    wanted = [names.index(theirs) for theirs in bound.values()]
    rest, line, block = first[at:], 2, b""
    while True:
        block = next(source, b"")
        for patience in (PATIENCE,) if block else (PATIENCE, 0):
            buf = np.frombuffer(rest, np.uint8)
            starts, ends, lines, bad, used, line = split_csv(buf, len(names), ord(delimiter), line, patience)
            tally.rows += len(lines) + len(bad)
            if bad:
                tally.damaged.append(_damaged(bad, len(names)))
            if len(lines):
                values = [_column(buf, starts[k :: len(names)], ends[k :: len(names)]) for k in wanted]
                yield pa.record_batch([pa.array(lines), *values], schema=schema)
            rest = rest[used:]
        if not block:
            return
        if len(rest) > MAX_RECORD:
            raise InputRefused(f"line {line} is longer than {MAX_RECORD >> 20} MiB; is it CSV?")
        rest += block


def _header(first: bytes) -> tuple[list[str], str, int]:
    end = first.find(b"\n") + 1 or len(first)
    try:
        text = first[:end].decode()
    except UnicodeDecodeError as error:
        raise InputRefused("has a header that is not UTF-8; write the log as UTF-8") from error
    delimiter = max(DELIMITERS, key=text.count)
    names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
    return names, delimiter, end


def _column(buf: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> pa.Array:
    offsets, data = gather(buf, starts, ends)
    return pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(data))


def _damaged(bad: list[tuple[int, int, int, int]], columns: int) -> pa.Table:
    mends = [MENDS.get(why, NOT_UTF8).format(found=found, columns=columns) for _, _, why, found in bad]
    rows, lengths = [row for row, *_ in bad], [length for _, length, *_ in bad]
    return pa.table([pa.array(rows, pa.int64()), pa.array(lengths, pa.int64()), pa.array(mends)], schema=DAMAGED)
