"""Real servers for the tests of the plugs: an upstream that answers in every shape, and any ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn

JSON, EVENTS = b"application/json", b"text/event-stream"
THOUGHT = "First the coast, then the ice."
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as a client got it."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@contextlib.contextmanager
def serving(app: Any, port: int = 0) -> Iterator[int]:
    """Serve an ASGI application on a port of this machine, in a thread of its own; yields the port."""
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="error", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started or not thread.is_alive())
    assert server.started, "the server did not start"
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


def wait_for(holds: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    last = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < last, "waited in vain"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str, body: bytes | None, headers: Mapping[str, str], method: str = "POST") -> Reply:
    """Send a request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"content-type": "application/json", **headers})
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class Upstream:
    """A model API as an ASGI application: JSON and events in every shape, with reasoning. It keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        text = b"".join(parts)
        body = json.loads(text) if text else {}
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        self.asked.append((scope["path"], headers, body))
        if body.get("model") == "overloaded":
            said = {"error": {"message": "too many", "type": "rate_limit_error"}}
            await self._send(send, 429, JSON, [json.dumps(said).encode()])
        elif body.get("stream"):
            await self._send(send, 200, EVENTS, [event.encode() for event in events(scope["path"], body["model"])])
        else:
            await self._send(send, 200, JSON, [json.dumps(answer(scope["path"], body)).encode()])

    async def _send(self, send: Any, status: int, kind: bytes, chunks: list[bytes]) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})


def answer(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """An answer in one body."""
    model = body.get("model")
    if path.endswith("/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
        return {"object": "list", "model": model, "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    if path.endswith("/responses"):
        return whole_response(model)
    if path.endswith("/messages"):
        content = [{"type": "thinking", "thinking": THOUGHT, "signature": "SIG-1"}, {"type": "text", "text": "A bay."}]
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content,
                "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 4},
               }  # fmt: skip
    message = {"role": "assistant", "content": "A bay.", "reasoning_content": THOUGHT}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1767225600, "model": model,
            "choices": [choice], "usage": USAGE}  # fmt: skip


def whole_response(model: Any) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": THOUGHT}]
    text = {"type": "output_text", "text": "A bay.", "annotations": []}
    return {
        "id": "resp_1", "object": "response", "created_at": 1767225600, "model": model, "status": "completed",
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "ENC-1"},
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]},
        ],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}, "temperature": 1.0,
        "top_p": 1.0, "usage": {
            "input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 13,
        },
    }  # fmt: skip


def events(path: str, model: Any) -> list[str]:
    """An answer in server-sent events."""
    if path.endswith("/messages"):
        return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in message_events(model)]
    if path.endswith("/responses"):
        return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in response_events(model)]
    shared = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1767225600, "model": model}
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "reasoning_content": THOUGHT}, {"content": "A "}, {"content": "bay."}, {},
    ]  # fmt: skip
    chunks = [
        {**shared, "choices": [{"index": 0, "delta": each, "finish_reason": None if each else "stop"}]}
        for each in deltas
    ]
    chunks.append({**shared, "choices": [], "usage": USAGE})
    return [*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n"]


def message_events(model: Any) -> list[dict[str, Any]]:
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [],
             "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}}  # fmt: skip
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0,
         "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": THOUGHT}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "SIG-1"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "A bay."}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]  # fmt: skip


def response_events(model: Any) -> list[dict[str, Any]]:
    done = whole_response(model)
    begun = {**done, "status": "in_progress", "output": [], "usage": None}
    reasoning, message = done["output"]
    part = message["content"][0]
    said: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**reasoning, "summary": []}},
        {"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "output_index": 0, "summary_index": 0,
         "part": {"type": "summary_text", "text": ""}},
        {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0,
         "delta": THOUGHT},
        {"type": "response.output_item.done", "output_index": 0, "item": reasoning},
        {"type": "response.output_item.added", "output_index": 1,
         "item": {**message, "content": [], "status": "in_progress"}},
        {"type": "response.content_part.added", "item_id": "msg_1", "output_index": 1, "content_index": 0,
         "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "content_index": 0,
         "delta": "A bay.", "logprobs": []},
        {"type": "response.output_text.done", "item_id": "msg_1", "output_index": 1, "content_index": 0,
         "text": "A bay.", "logprobs": []},
        {"type": "response.output_item.done", "output_index": 1, "item": message},
        {"type": "response.completed", "response": done},
    ]  # fmt: skip
    return [{**each, "sequence_number": number} for number, each in enumerate(said)]
