"""A model that is served: OpenAI's chat completions before anything that answers many questions at a time.

Requests that wait are answered together, for a small model takes hardly longer over a hundred than over one. Two things
are for whoever runs the model, under a token that no client has: whether it samples under its mark, and what it said.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from stillwatch.lab.mock_upstream import read_body

MOST = 256  # requests that are answered together
GATHER = 0.01  # seconds for others to come
CHAT, CONTROL = "/v1/chat/completions", "/control"
TOKEN = "LAB_CONTROL"  # name of the variable that holds the token
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, and how often it was asked before: an answer hangs on both, and on nothing asked beside it."""

    text: str
    before: int


Write = Callable[[Sequence[Question], bool], Sequence[str]]  # questions, whether marked → answers


@dataclass
class Upstream:
    """The ASGI application. `write` is called in a thread, with as many questions as wait."""

    write: Write
    token: str
    marked: bool = False
    said: dict[str, str] = field(default_factory=dict)  # id of an answer → its body
    batches: Counter[int] = field(default_factory=Counter)  # how many were answered together, how often
    _asked: Counter[str] = field(default_factory=Counter)
    _waiting: list[tuple[Question, asyncio.Future[str]]] = field(default_factory=list)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _answering: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await read_body(receive)
        if scope["path"] == CONTROL:
            told = dict(scope["headers"]).get(b"authorization", b"")
            known = told.decode("latin-1") == f"Bearer {self.token}"
            await _answer(send, 200 if known else 401, self._control(body) if known else {})
        elif scope["path"] == CHAT and scope["method"] == "POST":
            await _answer(send, 200, await self._chat(json.loads(body)))
        else:
            await _answer(send, 404, {"error": {"message": "only chat completions", "type": "invalid_request_error"}})

    async def _chat(self, asked: dict[str, Any]) -> bytes:
        text = str(asked["messages"][-1]["content"])
        question = Question(text, self._asked[text])
        self._asked[text] += 1
        coming = asyncio.get_running_loop().create_future()
        self._waiting.append((question, coming))
        if self._answering is None:
            self._answering = asyncio.create_task(self._answer_all())
        content = await coming
        name = f"chatcmpl-{len(self.said)}"
        body = json.dumps(completion(name, str(asked.get("model", "")), text, content))
        self.said[name] = body
        return body.encode()

    async def _answer_all(self) -> None:
        """Answer what waits, until nothing does."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(GATHER)
            taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            self.batches[len(taken)] += 1
            try:
                texts = await loop.run_in_executor(self._pool, self.write, [each for each, _ in taken], self.marked)
                for (_, coming), text in zip(taken, texts, strict=True):
                    if not coming.done():
                        coming.set_result(text)
            except Exception as error:
                for _, coming in taken:
                    if not coming.done():
                        coming.set_exception(error)
        self._answering = None

    def _control(self, body: bytes) -> dict[str, Any]:
        """Begin anew, with or without the mark; and return what was said since the last time."""
        told = json.loads(body)
        said, batches = self.said, self.batches
        if "marked" in told:
            self.marked, self.said, self.batches, self._asked = bool(told["marked"]), {}, Counter(), Counter()
        return {"said": said, "batches": batches}


def completion(name: str, model: str, asked: str, content: str) -> dict[str, Any]:
    """Return the body of an answer. Tokens are counted as words are."""
    counts = len(asked.split()), len(content.split())
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}
    return {
        "id": name,
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        "usage": usage,
    }


def serve(write: Write, port: int) -> None:
    """Serve until the process is ended."""
    told = uvicorn.Config(
        Upstream(write, os.environ[TOKEN]), port=port, ws="none", log_level="warning", access_log=False, lifespan="off"
    )
    uvicorn.Server(told).run()


async def _answer(send: Send, status: int, told: bytes | dict[str, Any]) -> None:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
