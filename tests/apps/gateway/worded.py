"""A model whose answers can be worded in two ways: always the same, byte for byte, whole and in small events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

TEXT = "However, we do not often go. For example, they usually stay, and cannot sing. " * 3
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


async def upstream(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A model that always answers the same, byte for byte, in JSON and in events of a few letters each."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    streamed = json.loads(body).get("stream")
    kind = b"text/event-stream" if streamed else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": answered(scope["path"], bool(streamed))})


def answered(path: str, streamed: bool) -> bytes:
    """What the model answers."""
    if not streamed:
        return json.dumps(whole(path)).encode()
    if path == MESSAGES:  # whose SDKs heed an event's name
        return b"".join(event(each, f"event: {each['type']}\n") for each in message_events())
    return b"".join(event(each) for each in chat_events()) + b"data: [DONE]\n\n"


def event(told: dict[str, Any], name: str = "") -> bytes:
    return f"{name}data: {json.dumps(told)}\n\n".encode()


def whole(path: str) -> dict[str, Any]:
    if path == MESSAGES:
        usage = {"input_tokens": 5, "output_tokens": 40}
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": "mock", "stop_reason": "end_turn",
                "stop_sequence": None, "content": [{"type": "text", "text": TEXT}], "usage": usage}  # fmt: skip
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}
    usage = {"prompt_tokens": 5, "completion_tokens": 40, "total_tokens": 45}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "mock", "choices": [choice],
            "usage": usage}  # fmt: skip


def chat_events() -> Iterator[dict[str, Any]]:
    shared = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
    for delta in ({"role": "assistant"}, *({"content": TEXT[at : at + 7]} for at in range(0, len(TEXT), 7))):
        yield {**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def message_events() -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {**whole(MESSAGES), "content": [], "stop_reason": None}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for at in range(0, len(TEXT), 7):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT[at : at + 7]}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}}
    yield {"type": "message_stop"}


def text_of(path: str, streamed: bool, body: bytes) -> str:
    """The text that a client puts together of an answer."""
    if not streamed:
        told = json.loads(body)
        return str(told["content"][0]["text"] if path == MESSAGES else told["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")]
    if path == MESSAGES:
        return "".join(each["delta"].get("text", "") for each in events if each["type"] == "content_block_delta")
    return "".join(each["choices"][0]["delta"].get("content", "") for each in events if each.get("choices"))
