"""Which columns each input has, before any of its rows is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from stillwatch.ingest import csvs, ndjson, parquet
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.sources import CSV, NDJSON, PARQUET, TABLE, Origin, Refusal
from stillwatch.model import InputRefused


@dataclass(frozen=True, slots=True)
class Found:
    """An input, its place in the order of inputs, and the names of its columns; for Parquet also types and rows."""

    origin: Origin
    place: int
    columns: tuple[str, ...]
    schema: pa.Schema | None = None
    rows: int = 0

    @property
    def key(self) -> str:
        """What names this input inside the engine; labels may repeat, this does not."""
        return str(self.origin.path) if self.origin.data is None else f"memory {self.place}"


def inspect_all(origins: Sequence[Origin], engine: Engine) -> tuple[list[Found], list[Refusal]]:
    """Look into every input; those that are not what they say are refused."""
    found: list[Found] = []
    refusals: list[Refusal] = []
    for place, origin in enumerate(origins):
        try:
            found.append(_inspect(origin, place, engine))
        except InputRefused as error:
            refusals.append(Refusal(origin.label, str(error)))
    return found, refusals


def _inspect(origin: Origin, place: int, engine: Engine) -> Found:
    if origin.format == PARQUET:
        schema, rows = parquet.schema_of(origin.path)
        return Found(origin, place, tuple(schema.names), schema, rows)
    if origin.format == NDJSON:
        return Found(origin, place, tuple(ndjson.columns_of(origin, engine)))
    if origin.format == CSV:
        return Found(origin, place, tuple(csvs.columns_of(origin)))
    if origin.label == "<ibis>" and engine.owns(origin.data):
        origin = replace(origin, format=TABLE)
    if origin.format == TABLE:
        return Found(origin, place, tuple(engine.schema_of(origin.data)))
    return Found(origin, place, tuple(parquet.columns_of_frame(origin)))
