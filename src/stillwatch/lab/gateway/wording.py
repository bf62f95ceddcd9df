"""A row of the lab's log as the HTTP request that it was, and as the answer that it got."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ANTHROPIC = "/v1/messages"
CHAT = "/v1/chat/completions"  # batches and all else of the log too: the gateway relays no batches
TIME, EXCHANGE, ANSWER = "x-lab-time", "x-lab-exchange", "x-lab-answer"
TLS, ASN, COUNTRY = "x-lab-tls", "x-lab-asn", "x-lab-country"
FROM_UPSTREAM = "x-lab-upstream"  # marks answers that the gateway let through
MOST_TURNS = 60
Row = Mapping[str, Any]


def path_of(row: Row) -> str:
    """Return the interface by which a row was asked."""
    return ANTHROPIC if row["endpoint"] == ANTHROPIC else CHAT


def key_of(row: Row) -> str:
    """Return the key of the account; the lab's own gateway knows whom it names."""
    return f"lab.{row['account_id']}.{row['api_key_id'] or ''}"


def body_of(row: Row) -> dict[str, Any]:
    """Return the body of the request."""
    anthropic = path_of(row) == ANTHROPIC
    body: dict[str, Any] = {"model": row["model"], "messages": _messages(row, anthropic)}
    system = row.get("system_prompt")
    if system and anthropic:
        body["system"] = system
    if row.get("tools"):
        body["tools"] = [_tool(name, anthropic) for name in row["tools"]]
    told = {"stream": _streams(row) or None, "n": None if anthropic else row.get("n")}
    told |= {name: row.get(name) for name in ("max_tokens", "temperature")}
    return body | {name: value for name, value in told.items() if value is not None}


def headers_of(row: Row, moment: int) -> dict[str, str]:
    """Return the headers: whose key, from where, when by the log's time, and what the upstream is to answer."""
    answer = {
        "status": row.get("status") or 200,
        "in": row.get("input_tokens") or 0,
        "out": row.get("output_tokens") or 0,
        "handles": list(row.get("artefacts_out") or ()),
    }
    told = {
        "authorization": f"Bearer {key_of(row)}",
        "content-type": "application/json",
        "user-agent": row.get("user_agent"),
        "x-forwarded-for": row.get("ip"),
        TLS: row.get("tls_fingerprint"),
        ASN: row.get("asn"),
        COUNTRY: row.get("country"),
        TIME: moment,
        EXCHANGE: row["exchange_id"],
        ANSWER: json.dumps(answer, separators=(",", ":")),
        "anthropic-version": "2023-06-01" if path_of(row) == ANTHROPIC else None,
    }
    return {name: str(value) for name, value in told.items() if value is not None}


def origin_of(row: Row) -> dict[str, str]:
    """Return what the load balancer before a gateway would add; a demonstration plays that one too."""
    told = {"x-forwarded-for": "ip", TLS: "tls_fingerprint", ASN: "asn", COUNTRY: "country", "user-agent": "user_agent"}
    return {name: str(row[column]) for name, column in told.items() if row.get(column) is not None}


def request_of(row: Row, moment: int) -> bytes:
    """Return the request as it goes over a connection that is kept."""
    body = json.dumps(body_of(row), ensure_ascii=False).encode("utf-8", "replace")
    head = "".join(f"{name}: {value}\r\n" for name, value in headers_of(row, moment).items())
    text = f"POST {path_of(row)} HTTP/1.1\r\nhost: lab\r\n{head}content-length: {len(body)}\r\n\r\n"
    return text.encode("utf-8", "replace") + body


def answer_to(path: str, told: Mapping[str, Any], stream: bool) -> bytes:
    """Return the body of an answer with the tokens and the handles that the log says."""
    if told["status"] >= 300:
        return _json({"type": "error", "error": {"type": "lab_error", "message": "as the log has it", "code": "lab"}})
    thoughts = [{"type": "thinking", "thinking": "", "signature": each} for each in told["handles"]]
    if path == ANTHROPIC:
        return _message(told, thoughts, stream)
    usage = {"prompt_tokens": told["in"], "completion_tokens": told["out"], "total_tokens": told["in"] + told["out"]}
    head = {"id": "lab", "created": 0, "model": "lab"}
    if stream:
        chunk = {**head, "object": "chat.completion.chunk"}
        said = {"index": 0, "delta": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
        events = [{**chunk, "choices": [said]}, {**chunk, "choices": [], "usage": usage}]
        return b"".join(b"data: " + _json(each) + b"\n\n" for each in events) + b"data: [DONE]\n\n"
    message = {"role": "assistant", "content": "Yes.", "thinking_blocks": thoughts}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return _json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})


def _message(told: Mapping[str, Any], thoughts: list[dict[str, str]], stream: bool) -> bytes:
    usage = {"input_tokens": told["in"], "output_tokens": told["out"]}
    whole: dict[str, Any] = {"id": "lab", "type": "message", "role": "assistant", "model": "lab", "stop_sequence": None}
    if not stream:
        text = {"type": "text", "text": "Yes."}
        return _json({**whole, "content": [*thoughts, text], "stop_reason": "end_turn", "usage": usage})
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Yes."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return b"".join(f"event: {each['type']}\ndata: ".encode() + _json(each) + b"\n\n" for each in events)


def _messages(row: Row, anthropic: bool) -> list[dict[str, Any]]:
    """As many turns as the log says; what was said before the last one it does not keep, so it is empty here."""
    handles = row.get("artefacts_in") or ()
    turns = min(max(row.get("turns") or 1, 2 if handles else 1), MOST_TURNS)
    before: list[dict[str, Any]] = [
        {"role": "user" if (turns - at) % 2 else "assistant", "content": ""} for at in range(turns - 1)
    ]
    if handles:
        thoughts = [{"type": "thinking", "thinking": "", "signature": each} for each in handles]
        before[-1] |= {"content": thoughts} if anthropic else {"thinking_blocks": thoughts}
    system = row.get("system_prompt")
    above = [{"role": "system", "content": system}] if system and not anthropic else []
    return [*above, *before, {"role": "user", "content": row.get("prompt") or ""}]


def _tool(name: str, anthropic: bool) -> dict[str, Any]:
    if anthropic:
        return {"name": name, "input_schema": {"type": "object"}}
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def _streams(row: Row) -> bool:
    """Handles are sent whole: a stream of them would say nothing more."""
    return bool(row.get("stream")) and not row.get("artefacts_out")


def _json(told: Any) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()
