"""Which columns each input has, before any of its rows is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from stillwatch.ingest import csvs, ndjson, parquet
from stillwatch.ingest.adapters.base import Adapter
from stillwatch.ingest.adapters.choose import Asked, adapter_of, look_into
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.sources import CSV, KNOWN, NDJSON, OWNED, PARQUET, TABLE, UNNAMED, Origin, Refusal
from stillwatch.model import InputRefused


@dataclass(frozen=True, slots=True)
class Found:
    """An input, its place in the order of inputs, and the names of its columns; for Parquet also types and rows.

    Of an input in a foreign format, `columns` are the names that its first records have.
    """

    origin: Origin
    place: int
    columns: tuple[str, ...]
    schema: pa.Schema | None = None
    rows: int = 0
    adapter: Adapter | None = None  # the foreign format it is in
    lacking: tuple[str, ...] = ()  # required columns that the adapter found nothing for

    @property
    def key(self) -> str:
        """What names this input inside the engine; labels may repeat, this does not."""
        return str(self.origin.path) if self.origin.data is None else f"{self.origin.format} {self.place}"


def inspect_all(origins: Sequence[Origin], engine: Engine, asked: Asked) -> tuple[list[Found], list[Refusal]]:
    """Look into every input; those that are not what they say are refused."""
    found: list[Found] = []
    refusals: list[Refusal] = []
    for place, origin in enumerate(origins):
        try:
            found.append(_inspect(origin, place, engine, asked))
        except InputRefused as error:
            refusals.append(Refusal(origin.label, str(error)))
    return found, refusals


def _inspect(origin: Origin, place: int, engine: Engine, asked: Asked) -> Found:
    if origin.columns is not None:
        return Found(origin, place, origin.columns)
    if origin.label == "<ibis>" and engine.owns(origin.data):
        origin = replace(origin, format=OWNED)
    if origin.format == OWNED:
        return Found(origin, place, tuple(engine.schema_of(origin.data)))
    adapter = adapter_of(origin, asked)
    if adapter is not None:
        origin = parquet.as_file(origin, engine)
        names, lacking = look_into(origin, adapter, asked)
        return Found(origin, place, names, adapter=adapter, lacking=lacking)
    if origin.format == UNNAMED:
        raise InputRefused(f"unknown kind of file; the name must end in {KNOWN}, or say --format")
    if origin.format == PARQUET:
        schema, rows = parquet.schema_of(origin.path)
        return Found(origin, place, tuple(schema.names), schema, rows)
    if origin.format == NDJSON:
        return Found(origin, place, tuple(ndjson.columns_of(origin, engine)))
    if origin.format == CSV:
        return Found(origin, place, tuple(csvs.columns_of(origin)))
    if origin.format == TABLE:
        return Found(origin, place, tuple(origin.data.columns()))
    return Found(origin, place, tuple(parquet.columns_of_frame(origin)))
