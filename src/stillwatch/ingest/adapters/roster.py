"""The formats that are read, in the order in which a file is tried against them."""

from __future__ import annotations

from stillwatch.ingest.adapters.base import Adapter, Record
from stillwatch.ingest.adapters.dump import DUMP
from stillwatch.ingest.adapters.envoy import ENVOY
from stillwatch.ingest.adapters.langfuse import LANGFUSE
from stillwatch.ingest.adapters.litellm import LITELLM
from stillwatch.ingest.adapters.otel import OTEL
from stillwatch.model import UsageError

NATIVE = "native"  # our own columns, whatever a record looks like
ROSTER: tuple[Adapter, ...] = (OTEL, LITELLM, LANGFUSE, ENVOY, DUMP)
NAMES = (NATIVE, *(adapter.name for adapter in ROSTER))


def named(format: str | None) -> Adapter | None:
    """Return the adapter of a name; None for `native`, and where nothing was asked for. Raises UsageError."""
    if format is None or format == NATIVE:
        return None
    for adapter in ROSTER:
        if adapter.name == format:
            return adapter
    raise UsageError(f"--format {format}: there is no such format; one of {', '.join(NAMES)}")


def recognise(record: Record) -> Adapter | None:
    """Return the adapter whose format a record has, or None."""
    return next((adapter for adapter in ROSTER if adapter.recognises(record)), None)
