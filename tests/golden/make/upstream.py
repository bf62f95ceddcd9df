"""A stand-in for a model's API: answers chat completions, responses, messages and embeddings with fixed words.

Every maker of golden files talks to it, so that what they record holds nothing but invented text.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COUNT = itertools.count(1)
ANSWER = "Paris is the capital of France."


class Upstream(BaseHTTPRequestHandler):
    """Answers by path; a model called `overloaded` gets 429."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body.get("model") == "overloaded":
            self._say(429, {"error": {"message": "too many", "type": "rate_limit_error", "code": "rate_limit"}})
        elif self.path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
            usage = {"prompt_tokens": 3, "total_tokens": 3}
            self._say(200, {"object": "list", "model": body["model"], "data": data, "usage": usage})
        elif self.path.endswith("/responses"):
            self._say(200, _response(body))
        elif self.path.endswith("/messages"):
            self._say(200, _message(body))
        elif body.get("stream"):
            self._stream(body)
        else:
            self._say(200, _completion(body))

    def _say(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, body: dict[str, Any]) -> None:
        shared = {
            "id": f"chatcmpl-s{next(COUNT)}",
            "object": "chat.completion.chunk",
            "created": 1767225600,
            "model": body["model"],
        }
        parts = [{"role": "assistant", "content": "Paris"}, {"content": " is."}, {}]
        chunks = [
            {**shared, "choices": [{"index": 0, "delta": d, "finish_reason": None if d else "stop"}]} for d in parts
        ]
        chunks.append(
            {**shared, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}}
        )
        data = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    choices = [
        {"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}
        for i in range(body.get("n") or 1)
    ]
    usage = {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28}
    return {
        "id": f"chatcmpl-{next(COUNT)}", "object": "chat.completion", "created": 1767225600, "model": body["model"],
        "choices": choices, "usage": usage,
    }  # fmt: skip


def _response(body: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "output_text", "text": ANSWER, "annotations": []}
    return {
        "id": f"resp_{next(COUNT)}", "object": "response", "created_at": 1767225600, "model": body["model"],
        "status": "completed",
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "ENC-OPAQUE-1"},
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]},
        ],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {},
        "temperature": 1.0, "top_p": 1.0,
        "usage": {
            "input_tokens": 18, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 25,
        },
    }  # fmt: skip


def _message(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{next(COUNT)}", "type": "message", "role": "assistant", "model": body["model"],
        "stop_reason": "end_turn", "stop_sequence": None,
        "content": [
            {"type": "thinking", "thinking": "A question of geography.", "signature": "SIG-OPAQUE-1"},
            {"type": "text", "text": ANSWER},
        ],
        "usage": {"input_tokens": 19, "output_tokens": 8},
    }  # fmt: skip


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler] = Upstream) -> Iterator[str]:
    """Serve on a free port of this machine; yields the address without path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
