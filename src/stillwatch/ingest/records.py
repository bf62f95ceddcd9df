"""What reading yields: a table of accepted rows in the engine, the rejections, and what each input was."""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir
import pyarrow as pa

REJECTED = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("field", pa.string()), ("value", pa.string()), ("mend", pa.string())]
)


@dataclass(frozen=True, slots=True)
class InputFile:
    """One input that was read: its name as given (`<arrow>` and the like for a table in memory), size and hash."""

    path: str
    format: str  # parquet, ndjson, csv, memory, table, or the name of an adapter
    bytes: int
    sha256: str
    rows: int
    skipped: int = 0  # records that are no exchange: other spans, health checks


@dataclass(frozen=True, slots=True)
class Ingested:
    """An input as typed rows: every column of the contract, in its order, accepted rows only, in the input's order.

    `present` holds the columns that the input has and that are not entirely null. `rejected` has the columns of
    REJECTED: `row` counts data rows from 1, for text formats it is the line, and 0 stands for the whole file.
    """

    table: ir.Table
    present: frozenset[str]
    rows_read: int
    rows_kept: int
    rejected: pa.Table
    inputs: tuple[InputFile, ...]
    named: frozenset[str] = frozenset()  # columns that the input has, even where every value is null
