"""OpenTelemetry GenAI spans, from OTLP files (JSON, protobuf) and from the Collector's ClickHouse table.

Attributes: semantic conventions for generative AI, user, client, HTTP, URL, TLS and geo
(opentelemetry.io/docs/specs/semconv/registry/attributes; `opentelemetry.semconv._incubating.attributes` 0.66b2), with
the names they replaced; the span events of earlier versions; numbered and `llm.*` attributes of OpenLLMetry; and
`langfuse.*` of the Langfuse SDK, which exports spans. Prompts are there only where the instrumented program captures
content on spans; those that it sends as separate log records are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    look_up,
)  # fmt: skip
from stillwatch.ingest.adapters.conversation import as_parts, handles_in, read_messages, text_of, tool_names
from stillwatch.ingest.adapters.spans import unpack

CHATS = ("chat", "text_completion", "generate_content", "completion")
NUMBERED = re.compile(r"gen_ai\.(prompt|completion)\.(\d+)\.(role|content)")

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "account_id": ("user.id", "enduser.id", "enduser.pseudo.id", "langfuse.user.id", "gen_ai.user"),
    "model": (
        "gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model",
        "langfuse.observation.model.name",
    ),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
    "max_tokens": ("gen_ai.request.max_tokens", "llm.request.max_tokens"),
    "temperature": ("gen_ai.request.temperature", "llm.request.temperature"),
    "n": ("gen_ai.request.choice.count",),
    "stream": ("gen_ai.request.stream", "llm.is_streaming", "gen_ai.is_streaming"),
    "ip": ("client.address", "http.client_ip"),
    "country": ("geo.country.iso_code",),
    "user_agent": ("user_agent.original", "http.user_agent"),
    "tls_fingerprint": ("tls.client.ja3",),
    "channel": ("gen_ai.provider.name", "gen_ai.system"),
    "endpoint": ("http.route", "url.path", "http.target"),
    "status": ("http.response.status_code", "http.status_code"),
}  # fmt: skip
LANGFUSE = {
    "input_tokens": ("langfuse.observation.usage_details.input",),
    "output_tokens": ("langfuse.observation.usage_details.output",),
    "max_tokens": ("langfuse.observation.model.parameters.max_tokens",),
    "temperature": ("langfuse.observation.model.parameters.temperature",),
}  # what the Langfuse SDK holds as JSON in one attribute
ASKED = ("gen_ai.input.messages", "gen_ai.prompt", "langfuse.observation.input")
TOLD = ("gen_ai.system_instructions",)
TOOLS = ("gen_ai.tool.definitions", "llm.request.functions")
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
    *((ours, _named(*ATTRIBUTES[ours], *LANGFUSE.get(ours, ()))) for ours in list(ATTRIBUTES)[2:]),
    ("artefacts_out", f"hashes of handles in `{SAID[0]}`"),
    ("artefacts_in", f"hashes of handles in `{ASKED[0]}`"),
    ("response", f"{_named(*SAID)}, `gen_ai.completion.N.content`, event `gen_ai.choice`"),
)


def recognises(record: Record) -> bool:
    """Whether a record is an ExportTraceServiceRequest, or a row of the ClickHouse table."""
    return isinstance(record.get("resourceSpans"), list) or has_keys(record, "TraceId", "SpanId", "SpanAttributes")


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
    row = {ours: look_up(known, name) for ours, (name,) in LANGFUSE.items()}
    row |= read_messages(messages, as_json(first_of(known, *TOLD)))
    row |= drop_empty({ours: first_of(known, *names) for ours, names in ATTRIBUTES.items()})
    row |= {
        "exchange_id": span["id"],
        "ts": span["ts"],
        "ip": first_address(row.get("ip")),
        "status": row.get("status") or _error_code(known),
        "tools": tool_names(first_of(known, *TOOLS)),
        "artefacts_in": [hash_handle(each) for each in handles_in(messages)],
        "artefacts_out": [hash_handle(each) for each in handles_in(answer)],
        "response": text_of(answer) or text_of(first_of(known, *SAID)),
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
    spoken = [(roles[name], known) for name, known in events if name in roles]
    return [{"role": role, **known, "content": as_parts(known.get("content"))} for role, known in spoken] or None


def _chosen(events: Iterable[tuple[Any, Record]]) -> Any:
    return next((first_of(known, "message", "content") for name, known in events if name == "gen_ai.choice"), None)


def _numbered(known: Record, kind: str) -> list[Record] | None:
    """Messages whose parts are attributes with a number in the name."""
    found: dict[int, dict[str, Any]] = {}
    for name, value in known.items():
        match = NUMBERED.fullmatch(name)
        if match and match[1] == kind:
            found.setdefault(int(match[2]), {})[match[3]] = as_parts(value)
    return [found[at] for at in sorted(found)] or None


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
