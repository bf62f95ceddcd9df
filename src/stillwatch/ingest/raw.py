"""An opened input before its values are judged: columns as they stand, and what could not even be split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import ibis.expr.types as ir
import pyarrow as pa

from stillwatch.model import InputRefused


@dataclass(slots=True)
class Tally:
    """What a reader counts while its batches pass: rows, those skipped or damaged, and the error that ended it."""

    rows: int = 0
    skipped: int = 0  # records that are no exchange
    damaged: list[pa.Table] = field(default_factory=list)
    failure: Exception | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Batches of one text file, the key that names the file inside the engine, and the tally kept of them."""

    key: str
    batches: Iterator[pa.RecordBatch]
    tally: Tally


def chain(sources: Sequence[Source], schema: pa.Schema) -> pa.RecordBatchReader:
    """Read files one after the other as one stream that says the file of each row in `_file`.

    A file that turns out to be unreadable ends there, noted in its tally; the next ones are still read.
    """

    def every() -> Iterator[pa.RecordBatch]:
        for source in sources:
            try:
                for batch in source.batches:
                    file = pa.repeat(pa.scalar(source.key), batch.num_rows)
                    yield pa.RecordBatch.from_arrays([file, *batch.columns], schema=named)
            except Exception as error:  # kept, for the engine that pulls the batches would only quote its text
                source.tally.failure = error
                if not isinstance(error, InputRefused):
                    raise

    named = pa.schema([pa.field("_file", pa.string()), *schema])
    return pa.RecordBatchReader.from_batches(named, every())


@dataclass(frozen=True, slots=True)
class Raw:
    """Rows with `_row` (and `_file`, where the table holds several), and which raw column serves which of ours.

    `shapes` names the columns with JSON types; where rows are `breakable`, `_broken` holds the length of the
    broken ones.
    """

    table: ir.Table
    columns: Mapping[str, str]
    shapes: Mapping[str, str]
    breakable: bool = False
