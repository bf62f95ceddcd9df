"""Rejections as they are found, and the one table they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from stillwatch.ingest.columns import Column
from stillwatch.ingest.judge import SAID, field_and_mend
from stillwatch.ingest.pieces import Piece
from stillwatch.ingest.records import REJECTED
from stillwatch.ingest.sources import Refusal
from stillwatch.ingest.text import WHOLE_ROW


@dataclass(slots=True)
class Ledger:
    """Collects rejections. `labels` gives each input's key its place in the order and its name as the user gave it."""

    labels: Mapping[str, tuple[int, str]]
    parts: list[pa.Table] = field(default_factory=list)

    def add_damaged(self, piece: Piece) -> None:
        """Note the rows that could not even be split into values."""
        for found, rows in piece.damaged:
            values = [f"<line of {length} characters>" for length in rows["length"].to_pylist()]
            whole = pa.array([WHOLE_ROW] * rows.num_rows, pa.string())
            keys = pa.array([found.key] * rows.num_rows, pa.string())
            self._note(keys, rows["row"], (whole, pa.array(values, pa.string()), rows["mend"]))

    def add_faults(self, faults: pa.Table, contract: Sequence[Column]) -> None:
        """Note judged rows with a wrong value."""
        fields, mends = field_and_mend(faults, contract)
        self._note(faults["_file"], faults["_row"], (fields, faults[SAID].fill_null(""), mends))

    def add_repeats(self, repeats: pa.Table, key: str) -> None:
        """Note rows whose id an earlier row has."""
        if not repeats.num_rows:
            return
        first = zip(repeats["first_file"].to_pylist(), repeats["first_row"].to_pylist(), strict=True)
        mends = [f"'{key}' appears before, at {self.labels[file][1]}:{row}; the first is kept" for file, row in first]
        fields = pa.array([key] * repeats.num_rows, pa.string())
        self._note(repeats["_file"], repeats["_row"], (fields, repeats["value"], pa.array(mends, pa.string())))

    def table(self, refusals: Sequence[Refusal]) -> pa.Table:
        """Return every rejection in the order of inputs and rows; refused inputs as row 0, those unread at the end."""
        last = len(self.labels)
        places = {label: place for place, label in self.labels.values()}
        for refusal in refusals:
            row = [refusal.label, 0, "<file>", "", refusal.mend]
            columns = {name: [value] for name, value in zip(REJECTED.names, row, strict=True)}
            place = pa.array([places.get(refusal.label, last)], pa.int64())
            self.parts.append(pa.table(columns, schema=REJECTED).append_column("place", place))
        if not self.parts:
            return REJECTED.empty_table()
        every = pa.concat_tables(self.parts)
        order = [("place", "ascending"), ("file", "ascending"), ("row", "ascending"), ("field", "ascending")]
        return every.sort_by(order).select(REJECTED.names).combine_chunks()

    def _note(self, keys: pa.Array, rows: pa.Array, what: tuple[pa.Array, pa.Array, pa.Array]) -> None:
        known = [self.labels[key] for key in keys.to_pylist()]
        labels = pa.array([label for _, label in known], pa.string())
        columns = dict(zip(REJECTED.names, [labels, rows, *what], strict=True))
        table = pa.table(columns).cast(REJECTED)
        self.parts.append(table.append_column("place", pa.array([place for place, _ in known], pa.int64())))
