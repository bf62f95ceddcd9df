"""OTLP in protobuf: one ExportTraceServiceRequest a file, or many as the Collector's file exporter writes them.

That exporter puts the length of each message before it as four bytes, highest first, and with `compression: zstd`
packs each message (opentelemetry-collector-contrib, `exporter/fileexporter`: README "File Format", `file_writer.go`).
JSON that it packs is framed in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from stillwatch.ingest.adapters.base import Record
from stillwatch.ingest.sources import Origin
from stillwatch.ingest.text import MAX_RECORD, chunks
from stillwatch.model import InputRefused, MissingDependency

FRAME = 4  # bytes of a length
ZSTD = b"\x28\xb5\x2f\xfd"
SCALARS = {
    "string_value": "stringValue", "bool_value": "boolValue", "int_value": "intValue", "double_value": "doubleValue",
}  # fmt: skip
FIELD = b"\x0a"  # resource_spans, the first field of a request


def looks_binary(head: bytes) -> bool:
    """Say whether a file begins as OTLP in protobuf, or as framed messages of OTLP."""
    return _one_request(head) or _framed(head)


def _one_request(head: bytes) -> bool:
    """A request's first field is a message; text that begins with a line break has no control bytes after it."""
    return head.startswith(FIELD) and any(byte < 9 for byte in head[1:8])


def _framed(head: bytes) -> bool:
    size = int.from_bytes(head[:FRAME], "big")
    return len(head) > FRAME and 0 < size <= MAX_RECORD and head[FRAME:].startswith((FIELD, ZSTD, b"{"))


def requests(origin: Origin) -> Iterator[tuple[int, Record | None]]:
    """Yield (length, request) for each message of a file; None where it is no request of OTLP.

    Raises InputRefused for a file that ends within a message, MissingDependency without opentelemetry-proto.
    """
    parse = _parser()
    for message in _messages(origin):
        body = pa.input_stream(pa.py_buffer(message), compression="zstd").read() if message[:4] == ZSTD else message
        yield len(message), parse(bytes(body))


def _messages(origin: Origin) -> Iterator[bytes]:
    source = chunks(origin)
    rest = next(source, b"")
    if not _framed(rest):
        yield _all(rest, source)
        return
    while rest:
        while len(rest) < FRAME or len(rest) < FRAME + int.from_bytes(rest[:FRAME], "big"):
            block = next(source, b"")
            if not block or len(rest) > MAX_RECORD:
                raise InputRefused("ends within a message, or is no file of OTLP; copy it again")
            rest += block
        size = int.from_bytes(rest[:FRAME], "big")
        yield rest[FRAME : FRAME + size]
        rest = rest[FRAME + size :] or next(source, b"")


def _all(first: bytes, source: Iterator[bytes]) -> bytes:
    whole = bytearray(first)
    for block in source:
        whole += block
        if len(whole) > MAX_RECORD:
            raise InputRefused(f"is one message of more than {MAX_RECORD >> 20} MiB; export in smaller batches")
    return bytes(whole)


def _parser() -> Callable[[bytes], Record | None]:
    try:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError:
        raise MissingDependency(
            "reading OTLP in protobuf needs opentelemetry-proto: pip install 'stillwatch[otlp]'"
        ) from None

    def parse(body: bytes) -> Record | None:
        if body.startswith(b"{"):
            return _json(body)
        try:
            return _as_json_has_it(ExportTraceServiceRequest.FromString(body))
        except DecodeError:
            return None

    return parse


def _json(body: bytes) -> Record | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _as_json_has_it(request: Any) -> Record:
    """A request with the names of OTLP's JSON encoding, which has ids in hexadecimal; only what is read later."""
    return {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [_span(span) for span in scope.spans]} for scope in resource.scope_spans]}
            for resource in request.resource_spans
        ]
    }


def _span(span: Any) -> Record:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "startTimeUnixNano": span.start_time_unix_nano,
        "attributes": _pairs(span.attributes),
        "events": [{"name": event.name, "attributes": _pairs(event.attributes)} for event in span.events],
    }


def _pairs(pairs: Any) -> list[Record]:
    return [{"key": pair.key, "value": _value(pair.value)} for pair in pairs]


def _value(value: Any) -> Record:
    kind = value.WhichOneof("value")
    if kind not in SCALARS and kind not in ("array_value", "kvlist_value"):
        return {}
    held = getattr(value, kind)
    if kind == "array_value":
        return {"arrayValue": {"values": [_value(each) for each in held.values]}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": _pairs(held.values)}}
    return {SCALARS[kind]: held}
