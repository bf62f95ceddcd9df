"""NDJSON: one JSON object a line. Lines are cut in Arrow; DuckDB takes the values out of them.

The SQL is here because Ibis has no expression that reads many JSON paths in one parse, nor `TRY`, without which one
broken line would end the whole query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from stillwatch.ingest.columns import Column
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.raw import Raw, Tally
from stillwatch.ingest.sources import Origin
from stillwatch.ingest.split import invalid_utf8
from stillwatch.ingest.text import MAX_RECORD, chunks, damaged_rows, text_array
from stillwatch.model import InputRefused

LINES = pa.schema([("_row", pa.int64()), ("line", pa.string())])
OPENINGS = {"string": "'{', '['", "array<string>": "'{'"}  # other kinds cannot be parsed from a wrong JSON type
SAMPLE = 1 << 20  # bytes whose keys stand for the file's
NOT_UTF8 = "is not valid UTF-8; write the log as UTF-8"


def columns_of(origin: Origin, engine: Engine) -> list[str]:
    """Return the keys of the objects at the start of the file, none for an empty file. Raises InputRefused."""
    lines = next(line_batches(origin, Tally(), SAMPLE), None)
    if lines is None or not lines.num_rows:
        return []
    engine = engine.local
    with engine.lent("sample", pa.Table.from_batches([lines])) as sample:
        keys = engine.con.raw_sql(
            f"SELECT DISTINCT unnest(json_keys(line)) FROM {sample} WHERE TRY(json_type(line)) = 'OBJECT'"
        ).fetchall()
    if not keys:
        array = lines.column("line")[0].as_py().lstrip().startswith("[")
        mend = "is one JSON array; write one object a line (jq -c '.[]')" if array else "no line is a JSON object"
        raise InputRefused(mend)
    return sorted(key for (key,) in keys)


def open_rows(lines: pa.RecordBatchReader, engine: Engine, contract: Sequence[Column], keys: Mapping[str, str]) -> Raw:
    """Open lines as raw columns; `keys` says under which key each of our columns stands."""
    contract = [column for column in contract if column.name in keys]
    read = engine.lend("lines", lines)
    columns = {column.name: f"c{i}" for i, column in enumerate(contract, 1)}
    shapes = {column.name: f"t{i}" for i, column in enumerate(contract, 1) if column.kind in OPENINGS}
    paths = [_path(keys[column.name]) for column in contract]
    found = [f"v[{i}] AS c{i}" for i in range(1, len(paths) + 1)]
    for i, (column, path) in enumerate(zip(contract, paths, strict=True), 1):
        if column.kind in OPENINGS:  # asks for the JSON type, a second parse, only of what looks like another type
            looks = f"left(v[{i}], 1) IN ({OPENINGS[column.kind]}) OR v[{i}] IN ('true', 'false')"
            found.append(f"CASE WHEN {looks} THEN json_type(line, {path}) END AS t{i}")
    table = engine.query(
        "objects",
        "SELECT _file, _row, CASE WHEN v IS NULL OR left(ltrim(line), 1) <> '{' "
        " THEN length(rtrim(line, chr(13) || chr(10))) END AS _broken,"
        f" {', '.join(found)} FROM ("
        f" SELECT _file, _row, line, TRY(json_extract_string(line, [{', '.join(paths)}])) AS v FROM {read})",
    )
    return Raw(table, columns, shapes, breakable=True)


def line_batches(origin: Origin, tally: Tally, size: int | None = None) -> Iterator[pa.RecordBatch]:
    """Yield (line number, text) of every line that is not blank; lines that are not UTF-8 go to the tally."""
    rest, line = b"", 1
    for block in chunks(origin, size) if size else chunks(origin):
        data = rest + block
        cut = data.rfind(b"\n") + 1
        rest = data[cut:]
        if len(rest) > MAX_RECORD:
            raise InputRefused(f"line {line} or one after it is longer than {MAX_RECORD >> 20} MiB; is it NDJSON?")
        if cut:
            yield _batch(data[:cut], line, tally)
            line += data.count(b"\n")
    if rest:
        yield _batch(rest + b"\n", line, tally)


def _batch(data: bytes, line: int, tally: Tally) -> pa.RecordBatch:
    buf = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(buf == 10) + 1
    starts = np.concatenate(([0], ends[:-1]))
    lines = text_array(data, starts, ends)
    rows = np.arange(line, line + len(ends))
    full = (ends - starts > 2) | ((ends - starts == 2) & (buf[starts] != 13))
    try:
        lines.validate(full=True)
    except pa.ArrowInvalid:
        wrong = invalid_utf8(buf, starts, ends) & full
        tally.damaged.append(damaged_rows(rows[wrong], (ends - starts)[wrong] - 1, NOT_UTF8))
        tally.rows += int(wrong.sum())
        full &= ~wrong
    batch = pa.record_batch([pa.array(rows), lines], schema=LINES)
    kept = batch if full.all() else batch.filter(pa.array(full))
    tally.rows += kept.num_rows
    return kept


def _path(name: str) -> str:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f"'$.\"{quoted}\"'"
