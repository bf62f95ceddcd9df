"""Spans as plain values, from OTLP requests in JSON and from rows of the Collector's ClickHouse table.

OTLP's JSON: opentelemetry.io/docs/specs/otlp (ids in hexadecimal, whole numbers as text). Table: `otel_traces` in
`exporter/clickhouseexporter/internal/sqltemplates/traces_table.sql` of opentelemetry-collector-contrib.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stillwatch.ingest.adapters.base import OTHER_SHAPE, Record, as_json, as_record


def unpack(record: Record) -> Iterable[Record]:
    """Yield the spans of a request, each with its attributes as plain values; a row of the table is one."""
    if "SpanAttributes" in record:
        yield _from_table(record)
        return
    for resource in record.get("resourceSpans") or ():
        for scope in resource.get("scopeSpans") or resource.get("instrumentationLibrarySpans") or ():
            yield from map(_from_request, scope.get("spans") or ())


def _from_request(span: Any) -> Record:
    try:
        return {
            "id": f"{span.get('traceId')}-{span.get('spanId')}",
            "ts": micros(span.get("startTimeUnixNano")),
            "attributes": plain(span.get("attributes")),
            "events": [(each.get("name"), plain(each.get("attributes"))) for each in span.get("events") or ()],
        }
    except OTHER_SHAPE:
        return {}  # which no reader of spans takes; the next spans of the request are whole


def plain(pairs: Any) -> dict[str, Any]:
    """Return OTLP's list of key and AnyValue as an object of plain values."""
    return {pair["key"]: _any_value(pair.get("value") or {}) for pair in pairs or () if "key" in pair}


def micros(nanos: Any) -> Any:
    """Return ns since 1970 as µs; what is no number as it stands, for the row to be rejected with it."""
    text = str(nanos)
    return int(text) // 1000 if text.isdecimal() and text != "0" else nanos


def _any_value(value: Mapping[str, Any]) -> Any:
    for kind, held in value.items():
        if kind == "intValue":
            return int(held)
        if kind == "arrayValue":
            return [_any_value(each) for each in as_record(held).get("values") or ()]
        if kind == "kvlistValue":
            return plain(as_record(held).get("values"))
        return held
    return None


def _from_table(row: Record) -> Record:
    names = _column(row, "Events.Name", "Name")
    attributes = _column(row, "Events.Attributes", "Attributes")
    return {
        "id": f"{row.get('TraceId')}-{row.get('SpanId')}",
        "ts": row.get("Timestamp"),
        "attributes": as_record(row.get("SpanAttributes")),
        "events": [(name, as_record(each)) for name, each in zip(names, attributes, strict=False)],
    }


def _column(row: Record, flat: str, nested: str) -> list[Any]:
    """A column of the nested `Events`, which some tools write as one list of objects."""
    if flat in row:
        return row[flat] or []
    events = as_json(row.get("Events"))
    return [as_record(each).get(nested) for each in events] if isinstance(events, list) else []
