"""A model API on a free port that answers as a tiny model does, in OpenAI's or Anthropic's shape."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[dict[str, Any], random.Random], dict[str, Any]]  # request → text, calls, status…
KEY = "sk-test-not-a-secret-0001"


def speaks(words: int, spread: float = 1.0, length: int = 12) -> Behaviour:
    """A model that draws words by rank; `words` says which ones it knows, `spread` how evenly it draws them."""

    def behave(asked: dict[str, Any], chance: random.Random) -> dict[str, Any]:
        topic = sum(str(asked["messages"][-1]["content"]).encode()) % 7
        heat = max(float(asked.get("temperature", 1.0)), 0.01) * spread
        drawn = [int(chance.expovariate(1.0 / (4.0 * heat))) for _ in range(min(length, asked["max_tokens"]))]
        told: dict[str, Any] = {"text": " ".join(f"m{words}t{topic}w{each}" for each in drawn)}
        if asked.get("tools"):
            told["calls"] = [_right_call(asked)]
        return told

    return behave


def _right_call(asked: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The call that the prompts of the tests spell out."""
    tool = asked["tools"][0]
    name = tool["function"]["name"] if "function" in tool else tool["name"]
    return name, {"order_number": str(asked["messages"][-1]["content"]).split()[-1].strip(".")}


@dataclass
class Served:
    """The endpoint: what it does now, and what it was asked."""

    url: str
    behave: Behaviour
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    lock: threading.Lock = field(default_factory=threading.Lock)
    key: str = ""  # that it wants


@contextmanager
def endpoint(behave: Behaviour, seed: int = 1) -> Iterator[Served]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, answer = _answer(served, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # or a client that asks much at once waits a second for its connection

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    served = Served(f"http://127.0.0.1:{server.server_port}/v1", behave, chance=random.Random(seed))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(served: Served, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    asked = json.loads(body)
    with served.lock:
        served.asked.append(asked)
        served.headers.append(headers)
        told = served.behave(asked, served.chance)
    if served.key and served.key not in (headers.get("x-api-key"), headers.get("authorization", "")[7:]):
        return 401, json.dumps({"error": {"message": f"no such key {headers.get('authorization')}"}}).encode()
    if told.get("status", 200) != 200:
        return told["status"], b'{"error": {"message": "the prompt was quoted here"}}'
    shaped = _message(told) if path.endswith("/messages") else _completion(told)
    return 200, json.dumps(shaped).encode()


def _completion(told: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {"id": "c", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for name, arguments in told.get("calls", ())
    ]
    message: dict[str, Any] = {"role": "assistant", "content": told["text"]}
    message |= {"tool_calls": calls} if calls else {}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    if "logprobs" in told:
        top = [{"token": token, "logprob": value} for token, value in told["logprobs"].items()]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    more: dict[str, Any] = told.get("more", {})
    return more | {"choices": [choice], "usage": {"completion_tokens": len(told["text"].split())}}


def _message(told: dict[str, Any]) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": told["text"]}]
    blocks += [
        {"type": "tool_use", "id": "t", "name": name, "input": arguments} for name, arguments in told.get("calls", ())
    ]
    return {"content": blocks, "stop_reason": "end_turn", "usage": {"output_tokens": len(told["text"].split())}}
