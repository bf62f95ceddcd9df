"""The answers that the mock upstream invents, in the shapes of OpenAI's and Anthropic's references."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

TEXT = "The sum of the first odd numbers is a square, and induction shows it. "
THOUGHT = "First recall the formula. "
SIGNATURE = "c2lnbmF0dXJlLW9mLXRoZS1tb2NrLXVwc3RyZWFt"
REDACTED = "cmVkYWN0ZWQtdGhvdWdodC1vZi10aGUtbW9jaw=="
ENCRYPTED = "ZW5jcnlwdGVkLXJlYXNvbmluZy1vZi10aGUtbW9jaw=="
TOKENS_IN, TOKENS_OUT = 25, 40
MADE = 1_760_000_000
LOGPROBS: dict[str, Any] = {
    "content": [{"token": "The", "logprob": -0.1, "bytes": None, "top_logprobs": []}],
    "refusal": None,
}
_count = itertools.count(1)
Told = dict[str, str]
Asked = dict[str, Any]


def error(anthropic: bool, status: int) -> bytes:
    """An error as the API tells it."""
    inner = {"type": "mock_error", "message": f"the mock was asked for {status}"}
    return _json(
        {"type": "error", "error": inner} if anthropic else {"error": {**inner, "param": None, "code": "mock"}}
    )


def simple(path: str, anthropic: bool) -> bytes:
    """Lists of models, embeddings, counts of tokens, and stored responses."""
    if path.endswith("/count_tokens"):
        return _json({"input_tokens": TOKENS_IN})
    if path.endswith("/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}]
        return _json(
            {"object": "list", "data": data, "model": "mock", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
        )
    if "/responses/" in path:
        return _json(_response("mock", {}))
    name = path.removeprefix("/v1/models").strip("/") or "mock"
    if anthropic:
        model: Asked = {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
        page = {"data": [model], "has_more": False, "first_id": name, "last_id": name}
    else:
        model = {"id": name, "object": "model", "created": MADE, "owned_by": "mock"}
        page = {"object": "list", "data": [model]}
    return _json(page if path.rstrip("/") == "/v1/models" else model)


def whole(path: str, asked: Asked, told: Told) -> bytes:
    """An answer in one piece."""
    made = {"/v1/messages": _message, "/v1/responses": _response}.get(path, _completion)
    return _json(made(str(asked.get("model")), told))


def events(path: str, asked: Asked, told: Told) -> Iterator[bytes]:
    """An answer in server-sent events; the last one ends the stream."""
    model, count = str(asked.get("model")), int(told.get("events", 5))
    if path == "/v1/messages":
        yield from (_event(each, named=True) for each in _message_events(model, count, told))
    elif path == "/v1/responses":
        numbered = enumerate(_response_events(model, count, told))
        yield from (_event({**each, "sequence_number": number}, named=True) for number, each in numbered)
    else:
        usage = (asked.get("stream_options") or {}).get("include_usage")
        yield from (_event(each) for each in _chunks(model, count, told, bool(usage)))
        yield b"data: [DONE]\n\n"


def _completion(model: str, told: Told) -> Asked:
    message: Asked = {"role": "assistant", "content": TEXT, "refusal": None}
    if "thinking" in told:
        message["reasoning_content"] = THOUGHT
    if "tool" in told:
        call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"term":"sum"}'}}
        message |= {"content": None, "tool_calls": [call]}
    reason = "tool_calls" if "tool" in told else "stop"
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": reason,
        "logprobs": LOGPROBS if "logprobs" in told else None,
    }
    usage = {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT}
    return {"id": f"chatcmpl-{next(_count)}", "object": "chat.completion", "created": MADE, "model": model,
            "choices": [choice], **({} if "no-usage" in told else {"usage": usage})}  # fmt: skip


def _chunks(model: str, count: int, told: Told, usage: bool) -> Iterator[Asked]:
    head = {"id": f"chatcmpl-{next(_count)}", "object": "chat.completion.chunk", "created": MADE, "model": model}

    def chunk(delta: Asked, reason: str | None = None) -> Asked:
        choice: Asked = {"index": 0, "delta": delta, "finish_reason": reason}
        choice |= {"logprobs": LOGPROBS} if "logprobs" in told else {}
        return {**head, "choices": [choice], **({"usage": None} if usage else {})}

    yield chunk({"role": "assistant", "content": ""})
    if "thinking" in told:
        yield chunk({"reasoning_content": THOUGHT})
    if "tool" in told:
        function = {"name": "look_up", "arguments": ""}
        yield chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]})
        for piece in ('{"term":', '"sum"}'):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    for number in range(0 if "tool" in told else count):
        yield chunk({"content": f"w{number} "})
    yield chunk({}, "tool_calls" if "tool" in told else "stop")
    if usage:
        total = {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT}
        yield {**head, "choices": [], "usage": total}


def _blocks(told: Told) -> list[Asked]:
    blocks: list[Asked] = []
    if "thinking" in told:
        blocks.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
        blocks.append({"type": "redacted_thinking", "data": REDACTED})
    blocks.append({"type": "text", "text": TEXT})
    if "tool" in told:
        blocks.append({"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"term": "sum"}})
    return blocks


def _message(model: str, told: Told) -> Asked:
    usage = {"input_tokens": TOKENS_IN, "output_tokens": TOKENS_OUT}
    reason = "tool_use" if "tool" in told else "end_turn"
    return {"id": f"msg_{next(_count)}", "type": "message", "role": "assistant", "model": model,
            "content": _blocks(told), "stop_reason": reason, "stop_sequence": None, "usage": usage}  # fmt: skip


def _message_events(model: str, count: int, told: Told) -> Iterator[Asked]:
    start = _message(model, told) | {"content": [], "stop_reason": None}
    yield {"type": "message_start", "message": start | {"usage": {"input_tokens": TOKENS_IN, "output_tokens": 1}}}
    yield {"type": "ping"}
    for index, block in enumerate(_blocks(told)):
        empty: dict[str, Asked] = {
            "thinking": {"thinking": "", "signature": ""},
            "text": {"text": ""},
            "tool_use": {"input": {}},
        }
        yield {"type": "content_block_start", "index": index, "content_block": block | empty.get(block["type"], {})}
        for delta in _deltas(block, count):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if "tool" in told else "end_turn"
    usage = {} if "no-usage" in told else {"usage": {"output_tokens": TOKENS_OUT}}
    yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, **usage}
    yield {"type": "message_stop"}


def _deltas(block: Asked, count: int) -> Iterator[Asked]:
    if block["type"] == "thinking":
        yield {"type": "thinking_delta", "thinking": THOUGHT}
        yield {"type": "signature_delta", "signature": SIGNATURE}
    elif block["type"] == "text":
        yield from ({"type": "text_delta", "text": f"w{number} "} for number in range(count))
    elif block["type"] == "tool_use":
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in ('{"term":', ' "sum"}'))


def _items(told: Told) -> list[Asked]:
    items: list[Asked] = []
    if "thinking" in told:
        items.append({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": ENCRYPTED})
    if "tool" in told:
        call = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "look_up",
            "arguments": '{"term":"sum"}',
        }
        items.append({**call, "status": "completed"})
    else:
        items.append(
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_part(TEXT)]}
        )
    return items


def _part(text: str) -> Asked:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(model: str, told: Told) -> Asked:
    usage = {"input_tokens": TOKENS_IN, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": TOKENS_OUT,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": TOKENS_IN + TOKENS_OUT}  # fmt: skip
    return {"id": f"resp_{next(_count)}", "object": "response", "created_at": MADE, "status": "completed",
            "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "model": model,
            "output": _items(told), "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [],
            "top_p": 1.0, "usage": usage}  # fmt: skip


def _response_events(model: str, count: int, told: Told) -> Iterator[Asked]:
    done = _response(model, told)
    yield {"type": "response.created", "response": done | {"status": "in_progress", "output": [], "usage": None}}
    for index, item in enumerate(done["output"]):
        yield {"type": "response.output_item.added", "output_index": index, "item": item | _begun(item)}
        if item["type"] == "message":
            at = {"item_id": item["id"], "output_index": index, "content_index": 0}
            text = "".join(f"w{number} " for number in range(count))
            item["content"] = [_part(text)]
            yield {"type": "response.content_part.added", **at, "part": _part("")}
            for number in range(count):
                yield {"type": "response.output_text.delta", **at, "delta": f"w{number} ", "logprobs": []}
            yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
            yield {"type": "response.content_part.done", **at, "part": _part(text)}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": done}


def _begun(item: Asked) -> Asked:
    if item["type"] == "message":
        return {"content": [], "status": "in_progress"}
    return {"arguments": "", "status": "in_progress"} if item["type"] == "function_call" else {}


def _event(told: Asked, named: bool = False) -> bytes:
    name = b"event: " + told["type"].encode() + b"\n" if named else b""
    return name + b"data: " + _json(told) + b"\n\n"


def _json(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
