"""OpenTelemetry GenAI spans, from OTLP files (JSON, protobuf) and from the Collector's ClickHouse table.

Attributes: semantic conventions for generative AI, user, client, HTTP, URL, TLS and geo
(opentelemetry.io/docs/specs/semconv/registry/attributes; `opentelemetry.semconv._incubating.attributes` 0.66b2), with
the names they replaced; the span events and numbered attributes of earlier instrumentations; and `langfuse.*` of the
Langfuse SDK, which exports spans. Table: `otel_traces` of the Collector's ClickHouse exporter
(`exporter/clickhouseexporter/internal/sqltemplates/traces_table.sql`). Prompts are there only where the instrumented
program captures content on spans; those that it sends as separate log records are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from stillwatch.ingest.adapters.base import (
    Adapter,
    Record,
    Row,
    as_json,
    as_record,
    drop_empty,
    first_address,
    first_of,
    has_keys,
    hash_handle,
)  # fmt: skip
from stillwatch.ingest.adapters.conversation import handles_in, read_messages, text_of, tool_names

CHATS = ("chat", "text_completion", "generate_content", "completion")
NUMBERED = re.compile(r"gen_ai\.(prompt|completion)\.(\d+)\.(role|content)")

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "account_id": ("user.id", "enduser.id", "enduser.pseudo.id", "langfuse.user.id", "langfuse.trace.user_id"),
    "model": (
        "gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model",
        "langfuse.observation.model.name",
    ),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
    "max_tokens": ("gen_ai.request.max_tokens", "llm.request.max_tokens"),
    "temperature": ("gen_ai.request.temperature", "llm.temperature"),
    "n": ("gen_ai.request.choice.count", "gen_ai.openai.request.n"),
    "stream": ("gen_ai.request.stream", "llm.is_streaming", "gen_ai.is_streaming"),
    "ip": ("client.address", "http.client_ip"),
    "country": ("geo.country.iso_code",),
    "user_agent": ("user_agent.original", "http.user_agent"),
    "tls_fingerprint": ("tls.client.ja3",),
    "channel": ("gen_ai.provider.name", "gen_ai.system"),
    "endpoint": ("http.route", "url.path", "http.target"),
    "status": ("http.response.status_code", "http.status_code"),
}  # fmt: skip
ASKED = ("gen_ai.input.messages", "gen_ai.prompt", "langfuse.observation.input")
TOLD = ("gen_ai.system_instructions",)
TOOLS = ("gen_ai.tool.definitions", "gen_ai.request.tools", "llm.request.functions")
SAID = ("gen_ai.output.messages", "gen_ai.completion", "langfuse.observation.output")
EVENTS = "events `gen_ai.content.prompt`, `gen_ai.user.message`, `gen_ai.client.inference.operation.details`"


def _named(*names: str) -> str:
    return ", ".join(f"`{name}`" for name in names)


MAPPING = (
    ("exchange_id", "`traceId` and `spanId`, joined"),
    ("ts", "`startTimeUnixNano`; `Timestamp` of the table"),
    ("account_id", _named(*ATTRIBUTES["account_id"])),
    ("model", _named(*ATTRIBUTES["model"])),
    ("prompt", f"{_named(*ASKED)}, `gen_ai.prompt.N.content`, {EVENTS}: last user message"),
    ("system_prompt", f"{_named(*TOLD)}, system messages"),
    ("tools", _named(*TOOLS)),
    ("turns", "number of messages beside system ones"),
    *((ours, _named(*ATTRIBUTES[ours])) for ours in list(ATTRIBUTES)[2:]),
    ("artefacts_out", f"hashes of handles in {SAID[0]!r}".replace("'", "`")),
    ("artefacts_in", f"hashes of handles in {ASKED[0]!r}".replace("'", "`")),
    ("response", f"{_named(*SAID)}, `gen_ai.completion.N.content`, event `gen_ai.choice`"),
)


def recognises(record: Record) -> bool:
    """Whether a record is an ExportTraceServiceRequest, or a row of the ClickHouse table."""
    return isinstance(record.get("resourceSpans"), list) or has_keys(record, "TraceId", "SpanId", "SpanAttributes")


def unpack(record: Record) -> Iterable[Record]:
    """Yield the spans of a request, each with its attributes as plain values; a row of the table is one."""
    if "SpanAttributes" in record:
        yield _from_table(record)
        return
    for resource in record.get("resourceSpans") or ():
        for scope in resource.get("scopeSpans") or resource.get("instrumentationLibrarySpans") or ():
            for span in scope.get("spans") or ():
                yield {
                    "id": f"{span.get('traceId')}-{span.get('spanId')}",
                    "ts": micros(span.get("startTimeUnixNano")),
                    "attributes": plain(span.get("attributes")),
                    "events": [(each.get("name"), plain(each.get("attributes"))) for each in span.get("events") or ()],
                }


def plain(pairs: Any) -> dict[str, Any]:
    """Return OTLP's list of key and AnyValue as an object of plain values."""
    return {pair["key"]: _any_value(pair.get("value") or {}) for pair in pairs or () if "key" in pair}


def micros(nanos: Any) -> Any:
    """Return ns since 1970 as µs; what is no number as it stands, for the row to be rejected with it."""
    text = str(nanos)
    return int(text) // 1000 if text.isdecimal() and text != "0" else nanos


def read_span(span: Record) -> Row | None:
    """Return the exchange of a span; None for a span that asks no model for an answer."""
    known = span["attributes"]
    if not _is_exchange(known):
        return None
    events = span["events"]
    inside = [attributes for name, attributes in events if name == "gen_ai.client.inference.operation.details"]
    for attributes in inside:
        known = attributes | known
    asked = as_json(first_of(known, *ASKED) or _event_value(events, "gen_ai.content.prompt", "gen_ai.prompt"))
    said = as_json(first_of(known, *SAID) or _event_value(events, "gen_ai.content.completion", "gen_ai.completion"))
    messages = asked if asked is not None else _numbered(known, "prompt") or _spoken(events)
    answer = said if said is not None else _numbered(known, "completion") or _chosen(events)
    settings = as_record(first_of(known, "langfuse.observation.model.parameters"))
    usage = as_record(first_of(known, "langfuse.observation.usage_details"))
    row = {"max_tokens": settings.get("max_tokens"), "temperature": settings.get("temperature")}
    row |= {"input_tokens": usage.get("input"), "output_tokens": usage.get("output")}
    row |= read_messages(messages, first_of(known, *TOLD))
    row |= drop_empty({ours: first_of(known, *names) for ours, names in ATTRIBUTES.items()})
    row |= {
        "exchange_id": span["id"],
        "ts": span["ts"],
        "ip": first_address(row.get("ip")),
        "status": row.get("status") or _error_code(known),
        "tools": tool_names(first_of(known, *TOOLS)),
        "artefacts_in": [hash_handle(each) for each in handles_in(messages)],
        "artefacts_out": [hash_handle(each) for each in handles_in(answer)],
        "response": text_of(answer),
    }
    return drop_empty(row)


def _is_exchange(known: Record) -> bool:
    operation = first_of(known, "gen_ai.operation.name", "llm.request.type")
    if operation is not None:
        return str(operation) in CHATS
    if "langfuse.observation.type" in known:
        return known["langfuse.observation.type"] == "generation"
    return first_of(known, "gen_ai.request.model", "llm.request.model") is not None


def _error_code(known: Record) -> str | None:
    kind = str(first_of(known, "error.type") or "")
    return kind if kind.isdigit() else None


def _event_value(events: Iterable[tuple[Any, Record]], name: str, attribute: str) -> Any:
    return next((known[attribute] for called, known in events if called == name and attribute in known), None)


def _spoken(events: Iterable[tuple[Any, Record]]) -> list[Record] | None:
    """Messages that were one span event each."""
    roles = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
    return [{"role": roles[name], **known} for name, known in events if name in roles] or None


def _chosen(events: Iterable[tuple[Any, Record]]) -> Any:
    return next((first_of(known, "message", "content") for name, known in events if name == "gen_ai.choice"), None)


def _numbered(known: Record, kind: str) -> list[Record] | None:
    """Messages whose parts are attributes with a number in the name."""
    found: dict[int, dict[str, Any]] = {}
    for name, value in known.items():
        match = NUMBERED.fullmatch(name)
        if match and match[1] == kind:
            found.setdefault(int(match[2]), {})[match[3]] = value
    return [found[at] for at in sorted(found)] or None


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


def _fields(span: Record) -> Record:
    return as_record(span.get("attributes"))


OTEL = Adapter(
    name="otel",
    title="OpenTelemetry GenAI spans",
    source="OpenTelemetry semantic conventions (registry, 0.66b2 of the Python package), OTLP 1.x, ClickHouse exporter",
    mapping=MAPPING,
    recognises=recognises,
    reads=read_span,
    unpack=unpack,
    fields=_fields,
    binary=True,
)
