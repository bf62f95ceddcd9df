"""An opened input before its values are judged: columns as they stand, and what could not even be split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import ibis.expr.types as ir
import pyarrow as pa


@dataclass(slots=True)
class Tally:
    """What a reader counts while its batches pass: rows, damaged rows, and the error that ended it."""

    rows: int = 0
    damaged: list[pa.Table] = field(default_factory=list)
    failure: Exception | None = None

    def watch(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass batches on and remember an error, for the engine that pulls them would only quote its text."""
        try:
            yield from batches
        except Exception as error:
            self.failure = error
            raise


@dataclass(frozen=True, slots=True)
class Raw:
    """Rows with `_row` (and `_file`, where the table holds several), and which raw column serves which of ours.

    `shapes` names the columns with JSON types; where rows are `breakable`, `_broken` holds the length of the
    broken ones.
    """

    table: ir.Table
    columns: Mapping[str, str]
    shapes: Mapping[str, str]
    tally: Tally
    breakable: bool = False
