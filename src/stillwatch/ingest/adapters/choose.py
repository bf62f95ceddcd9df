"""Which format an input is in: what the user said, else what its first records look like."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest import csvs, parquet
from stillwatch.ingest.adapters import documents, otlp
from stillwatch.ingest.adapters.base import Adapter, Record
from stillwatch.ingest.adapters.carry import exchange_of, head_of, sample, value_of
from stillwatch.ingest.adapters.otel import OTEL
from stillwatch.ingest.adapters.roster import ROSTER, named, recognise
from stillwatch.ingest.columns import Column
from stillwatch.ingest.fields import bind
from stillwatch.ingest.sources import CSV, MEMORY, PARQUET, TABLE, UNNAMED, Origin
from stillwatch.model import InputRefused

TRIED = 20  # records of a file that are looked at for its format


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user said about an input: our columns, their names for ours, and a format or None."""

    contract: Sequence[Column]
    fields: Mapping[str, str]
    format: str | None = None


def adapter_of(origin: Origin, asked: Asked) -> Adapter | None:
    """Return the adapter for an input, or None where it has our own columns. Raises UsageError for an unknown name."""
    if asked.format is not None:
        return named(asked.format)
    if origin.format in (PARQUET, CSV, MEMORY, TABLE):
        names = _names(origin)
        return None if _is_ours(names, asked) else recognise(dict.fromkeys(names, "?"))
    if otlp.looks_binary(head_of(origin)):
        return OTEL
    return _by_records(origin, asked)


def look_into(origin: Origin, adapter: Adapter, asked: Asked) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that the first records of an input have, and the required columns that none of them fills."""
    first = list(sample(origin, adapter))
    names = {name for record in first for name in (*record, *adapter.fields(record))}
    names |= {name for name in asked.fields if any(value_of(adapter, record, name) is not None for record in first)}
    rows = [row for record in first if (row := exchange_of(adapter, record, asked.fields)) is not None]
    required = [column.name for column in asked.contract if column.required]
    lacking = tuple(name for name in required if rows and not any(row.get(name) for row in rows))
    return tuple(sorted(names)), lacking


def _by_records(origin: Origin, asked: Asked) -> Adapter | None:
    for record in _first_records(origin):
        if _is_ours(record, asked):
            return None
        adapter = recognise(record)
        if adapter is not None:
            return adapter
    return None


def _first_records(origin: Origin) -> Iterator[Record]:
    """Records at the beginning of a file; of text that is no JSON, what a format of lines makes of it."""
    try:
        yield from itertools.islice(documents.first_records(origin, _any_line), TRIED)
    except InputRefused:
        if origin.format == UNNAMED:
            raise


def _any_line(line: str) -> Record | None:
    return next((made for each in ROSTER if each.parse is not None and (made := each.parse(line))), None)


def _is_ours(names: Mapping[str, object] | Sequence[str], asked: Asked) -> bool:
    """Whether every required column is there under our name, or under the name that the user gave for it."""
    bound = bind(asked.fields, asked.contract, list(names))
    return all(column.name in bound for column in asked.contract if column.required)


def _names(origin: Origin) -> list[str]:
    try:
        if origin.format == PARQUET:
            return list(pq.read_schema(origin.path).names)
        if origin.format == TABLE:
            return list(origin.data.columns())
        return csvs.columns_of(origin) if origin.format == CSV else parquet.columns_of_frame(origin)
    except (pa.ArrowException, OSError, InputRefused):
        return []  # whoever reads it says what is wrong with it
