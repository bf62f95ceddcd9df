"""Langfuse observations: exports of the project's tables, of the blob storage integration, and of the public API.

Names: the API's `ObservationV2` (camelCase; `langfuse/api/commons/types/observation_v2.py`, SDK 5.0.4) and the field
reference of blob storage exports (snake_case; langfuse.com/docs/api-and-data-platform/features/
blob-storage-export-fields). A legacy observation does not say who asked: its trace does, so give the trace whole (the
API's trace with its `observations`) or map another field with `--field`.
"""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.ingest.adapters.base import (
    Adapter,
    Record,
    Row,
    as_json,
    as_record,
    drop_empty,
    first_of,
    has_keys,
    hash_handle,
)
from stillwatch.ingest.adapters.conversation import handles_in, read_messages, text_of, tool_names

MAPPING = (
    ("exchange_id", "`id`"),
    ("ts", "`startTime`, `start_time`"),
    ("account_id", "`userId`, `user_id` (of the trace, where it is given whole)"),
    ("model", "`model`, `providedModelName`, `provided_model_name`"),
    ("prompt", "`input`: last user message"),
    ("system_prompt", "`input`: system messages"),
    ("tools", "`input.tools`, `modelParameters.tools`"),
    ("turns", "`input`: number of messages beside system ones"),
    ("input_tokens", "`usageDetails.input`, `usage.input`, `promptTokens`"),
    ("output_tokens", "`usageDetails.output`, `usage.output`, `completionTokens`"),
    ("max_tokens", "`modelParameters.max_tokens` and its kin"),
    ("temperature", "`modelParameters.temperature`"),
    ("n", "`modelParameters.n`"),
    ("ip", "`metadata.client.address`"),
    ("user_agent", "`metadata.user_agent.original`"),
    ("endpoint", "`name`"),
    ("artefacts_out", "hashes of handles in `output`"),
    ("artefacts_in", "hashes of handles in `input`"),
    ("response", "`output`"),
)


def recognises(record: Record) -> bool:
    """Whether a record is an observation, a trace with its observations, or a page of either."""
    for page in ("data", "observations"):
        if isinstance(record.get(page), list):
            return any(isinstance(each, dict) and recognises(each) for each in record[page][:1])
    named = has_keys(record, "traceId", "startTime") or has_keys(record, "trace_id", "start_time")
    return named and has_keys(record, "id", "type")


def unpack(record: Record) -> Iterator[Record]:
    """Yield the observations of a page or of a trace; those of a trace are given its user."""
    held = first_of(record, "data", "observations")
    if not isinstance(held, list):
        yield record
        return
    user = first_of(record, "userId", "user_id")
    for each in held:
        if isinstance(each, dict) and isinstance(each.get("observations"), list):
            yield from unpack(each)
        elif isinstance(each, dict) and first_of(each, "userId", "user_id") is None:
            yield {**each, "userId": user}
        else:
            yield each


def read_observation(record: Record) -> Row | None:
    """Return the exchange of an observation of type GENERATION; None for spans, events and other types."""
    if str(record.get("type")).upper() != "GENERATION":
        return None
    asked, said = as_json(record.get("input")), as_json(record.get("output"))
    settings = as_record(first_of(record, "modelParameters", "model_parameters"))
    usage = as_record(first_of(record, "usageDetails", "usage_details", "usage"))
    metadata = as_record(record.get("metadata"))
    known = {**metadata, **as_record(metadata.get("attributes"))}  # what came by OpenTelemetry
    row = read_messages(record.get("input"))
    row |= {
        "exchange_id": record.get("id"),
        "ts": first_of(record, "startTime", "start_time"),
        "account_id": first_of(record, "userId", "user_id") or first_of(known, "user.id"),
        "model": first_of(record, "model", "providedModelName", "provided_model_name"),
        "tools": tool_names(first_of(as_record(asked), "tools") or settings.get("tools")),
        "input_tokens": first_of(usage, "input", "promptTokens", "prompt_tokens", "input_tokens")
        or first_of(record, "promptTokens"),
        "output_tokens": first_of(usage, "output", "completionTokens", "completion_tokens", "output_tokens")
        or first_of(record, "completionTokens"),
        "max_tokens": first_of(settings, "max_tokens", "maxTokens", "max_completion_tokens", "max_output_tokens"),
        "temperature": settings.get("temperature"),
        "n": settings.get("n"),
        "ip": first_of(known, "client.address"),
        "user_agent": first_of(known, "user_agent.original"),
        "endpoint": record.get("name"),
        "artefacts_in": _hashes(asked),
        "artefacts_out": _hashes(said),
        "response": text_of(said) or text_of(record.get("output")),
    }
    return drop_empty(row)


def _hashes(value: object) -> list[str]:
    return [hash_handle(each) for each in handles_in(value)]


def _fields(record: Record) -> Record:
    return as_record(record.get("metadata"))


LANGFUSE = Adapter(
    name="langfuse",
    title="Langfuse observations",
    source="ObservationV2 of SDK 5.0.4, and the field reference of blob storage exports",
    mapping=MAPPING,
    recognises=recognises,
    reads=read_observation,
    unpack=unpack,
    fields=_fields,
)
