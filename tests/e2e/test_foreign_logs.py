"""One log, written as three other programs would have logged it, gives the verdicts that it gives in our own format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.ingest.adapters.base import hash_handle

Row = dict[str, Any]
FORMATS = ("otel", "litellm", "dump")
LOST = {  # what a format has no place for
    "otel": ("api_key_id", "asn", "artefacts_out", "artefacts_in"),
    "litellm": ("asn", "country", "tls_fingerprint", "artefacts_out", "artefacts_in"),
    "dump": ("asn", "country"),
}


def messages(row: Row) -> list[Row]:
    """A conversation of as many turns, which ends with the prompt."""
    before = [{"role": ("user", "assistant")[i % 2], "content": f"turn {i}"} for i in range(row["turns"] - 1)]
    system = [] if row["system_prompt"] is None else [{"role": "system", "content": row["system_prompt"]}]
    return [*system, *before, {"role": "user", "content": row["prompt"]}]


def tools(row: Row) -> list[Row] | None:
    return None if row["tools"] is None else [{"type": "function", "function": {"name": each}} for each in row["tools"]]


def as_span(row: Row) -> Row:
    trace, _, span = row["exchange_id"].partition("-")
    named = {
        "gen_ai.operation.name": "chat", "gen_ai.response.model": row["model"], "user.id": row["account_id"],
        "gen_ai.input.messages": json.dumps(messages(row)), "gen_ai.provider.name": row["channel"],
        "gen_ai.tool.definitions": json.dumps(tools(row)) if row["tools"] is not None else None,
        "client.address": row["ip"], "geo.country.iso_code": row["country"], "user_agent.original": row["user_agent"],
        "tls.client.ja3": row["tls_fingerprint"], "http.route": row["endpoint"],
    }  # fmt: skip
    counted = {
        "gen_ai.usage.input_tokens": row["input_tokens"], "gen_ai.usage.output_tokens": row["output_tokens"],
        "gen_ai.request.max_tokens": row["max_tokens"], "gen_ai.request.choice.count": row["n"],
        "http.response.status_code": row["status"],
    }  # fmt: skip
    attributes = [{"key": k, "value": {"stringValue": v}} for k, v in named.items() if v is not None]
    attributes += [{"key": k, "value": {"intValue": str(v)}} for k, v in counted.items()]
    attributes += [
        {"key": "gen_ai.request.temperature", "value": {"doubleValue": row["temperature"]}},
        {"key": "gen_ai.request.stream", "value": {"boolValue": row["stream"]}},
    ]
    start = str(round(row["ts"].timestamp() * 1_000_000) * 1000)
    return {"traceId": trace, "spanId": span, "startTimeUnixNano": start, "attributes": attributes}


def write_otel(rows: list[Row], path: Path) -> None:
    """Fifty spans a request, with a span of other work among them."""
    other = {"traceId": "0", "spanId": "0", "startTimeUnixNano": "1", "name": "GET /healthz", "attributes": []}
    with path.open("w") as stream:
        for at in range(0, len(rows), 50):
            spans = [other, *map(as_span, rows[at : at + 50])]
            stream.write(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}) + "\n")


def write_litellm(rows: list[Row], path: Path) -> None:
    """The array that `/spend/logs` answers."""
    path.write_text(json.dumps([
        {
            "request_id": row["exchange_id"], "call_type": row["endpoint"], "api_key": row["api_key_id"],
            "startTime": row["ts"].isoformat(), "user": row["account_id"], "model": row["model"], "messages": {},
            "prompt_tokens": row["input_tokens"], "completion_tokens": row["output_tokens"],
            "requester_ip_address": row["ip"], "custom_llm_provider": row["channel"],
            "request_tags": json.dumps([f"User-Agent: {row['user_agent']}"]),
            "status": "success" if row["status"] == 200 else "failure",
            "metadata": json.dumps({"error_information": {"error_code": str(row["status"])}}),
            "proxy_server_request": json.dumps({
                "messages": messages(row), "tools": tools(row), "max_tokens": row["max_tokens"],
                "temperature": row["temperature"], "n": row["n"], "stream": row["stream"],
            }),
        } for row in rows
    ]))  # fmt: skip


def write_dump(rows: list[Row], path: Path) -> None:
    """A request and its response a line; opaque handles as reasoning."""

    def thoughts(handles: list[str]) -> list[Row]:
        return [{"type": "reasoning", "encrypted_content": each} for each in handles]

    with path.open("w") as stream:
        for row in rows:
            asked = {"model": row["model"], "input": [*thoughts(row["artefacts_in"]), *messages(row)]}
            asked |= {"tools": tools(row), "max_output_tokens": row["max_tokens"]}
            asked |= {name: row[name] for name in ("temperature", "n", "stream")}
            usage = {name: row[name] for name in ("input_tokens", "output_tokens")}
            said = {"model": row["model"], "usage": usage, "output": thoughts(row["artefacts_out"])}
            known = ("account_id", "ip", "user_agent", "tls_fingerprint", "api_key_id", "channel", "endpoint", "status")
            around = {"id": row["exchange_id"], "ts": row["ts"].isoformat()} | {name: row[name] for name in known}
            stream.write(json.dumps(around | {"request": asked, "response": said}) + "\n")


WRITERS: dict[str, Callable[[list[Row], Path], None]] = {
    "otel": write_otel,
    "litellm": write_litellm,
    "dump": write_dump,
}


def native(traffic: Path, name: str) -> tuple[pa.Table, list[Row]]:
    """Our own log without what a format cannot carry, with what it hashes hashed; and the rows to write in it."""
    rows = pq.read_table(traffic / "exchanges.parquet").to_pylist()
    for row in rows:
        row["api_key_id"] = hash_handle(row["api_key_id"])
        if name == "otel":
            row["exchange_id"] = f"{row['exchange_id']}-1"
        if name == "litellm":
            row["endpoint"] = "acompletion"
    seen = [{k: v for k, v in row.items() if k not in LOST[name]} for row in rows]
    if name == "dump":
        for row in seen:
            row |= {side: [hash_handle(each) for each in row[side]] for side in ("artefacts_out", "artefacts_in")}
    return pa.Table.from_pylist(seen), rows


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_a_log_in_another_format_gives_the_same_verdicts(small_traffic: Path, tmp_path: Path, name: str) -> None:
    ours, rows = native(small_traffic, name)
    WRITERS[name](rows, tmp_path / "log.json")
    tables = (small_traffic / "accounts.parquet", small_traffic / "licences.csv")
    expected = sw.detect(ours, *tables)
    found = sw.detect(tmp_path / "log.json", *tables)
    assert found.manifest["inputs"][0]["format"] == name
    assert found.rejected.num_rows == 0
    assert found.manifest["exchanges"] == expected.manifest["exchanges"] == len(rows)
    assert found.verdicts.equals(expected.verdicts)
    assert found.campaigns.equals(expected.campaigns)
    assert {"suspect", "distillation"} & set(found.verdicts["verdict"].to_pylist())
    if name == "otel":
        assert found.manifest["inputs"][0]["skipped"] == -(-len(rows) // 50)
