"""What tests of adapters need: golden files, rows as plain objects, and records of each format written by hand."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_exchanges
from stillwatch.ingest.records import Ingested

GOLDEN = Path(__file__).parents[2] / "golden"
NANOS = 1_767_225_600_123_456_789  # 2026-01-01 00:00:00.123456789
MOMENT = dt.datetime(2026, 1, 1, 0, 0, 0, 123456)
SECRET = "sk-live-0123456789abcdef"  # must never be seen again
PROMPT = "Zebra-quartz question that nobody may quote"


def read(engine: Engine, source: Any, fields: dict[str, str] | None = None, format: str | None = None) -> Ingested:
    return read_exchanges(source, engine, fields or {}, format)


def rows(engine: Engine, ingested: Ingested) -> list[dict[str, Any]]:
    """Rows without what is empty."""
    every = engine.arrow(ingested.table).to_pylist()
    return [{name: value for name, value in row.items() if value not in (None, [])} for row in every]


def write(path: Path, *records: Any) -> Path:
    """One record a line; text as it stands."""
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def span(number: int = 1, events: list[Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A GenAI span as OTLP's JSON has it; underscores of names that hold a dot are written `__`."""
    known = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1", "user.id": "acct-1"}
    known |= {name.replace("__", "."): value for name, value in attributes.items()}
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat m-1",
        "startTimeUnixNano": str(NANOS),
        "attributes": [{"key": name, "value": any_value(value)} for name, value in known.items() if value is not None],
        "events": [
            {"name": name, "attributes": [{"key": k, "value": any_value(v)} for k, v in held.items()]}
            for name, held in events or []
        ],
    }


def request(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


def any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(each) for each in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": k, "value": any_value(v)} for k, v in value.items()]}}
    return {"stringValue": value}


def spend_log(number: int = 1, **other: Any) -> dict[str, Any]:
    """A row of LiteLLM_SpendLogs."""
    return {
        "request_id": f"r-{number}",
        "call_type": "acompletion",
        "api_key": f"{number:064x}",
        "startTime": "2026-01-01T00:00:00.123456+00:00",
        "model": "m-1",
        "user": "acct-1",
        "prompt_tokens": 5,
        "completion_tokens": 6,
        "messages": {},
        "metadata": {},
        "status": "success",
    } | other


def observation(number: int = 1, **other: Any) -> dict[str, Any]:
    """An observation as Langfuse's API has it."""
    return {
        "id": f"o-{number}",
        "traceId": f"t-{number}",
        "type": "GENERATION",
        "startTime": "2026-01-01T00:00:00.123Z",
        "model": "m-1",
        "userId": "acct-1",
        "input": [{"role": "user", "content": "hello there"}],
        "usageDetails": {"input": 3, "output": 4},
    } | other


def dump(number: int = 1, **other: Any) -> dict[str, Any]:
    """A request and its response, of chat completions."""
    return {
        "id": f"d-{number}",
        "ts": "2026-01-01T00:00:00.123456Z",
        "account_id": "acct-1",
        "request": {"model": "m-1", "messages": [{"role": "user", "content": "hello there"}]},
        "response": {"model": "m-1", "choices": [{"message": {"role": "assistant", "content": "hi"}}]},
    } | other
