"""A model API that invents its answers: OpenAI's and Anthropic's shapes, whole and streamed, well and badly behaved.

How it behaves stands in the request's header `mock`, as words parted by commas: `events=40`, `delay=0.1` (seconds
before each event), `tool`, `thinking`, `logprobs`, `no-usage`, `status=429`, `truncate` (the connection breaks in the
middle), `silent` (no answer), `flood` (a stream without end), `gzip`. `GET /mock` says what became of its streams.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from stillwatch.lab import mock_bodies as bodies

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
JSON, EVENTS = b"application/json", b"text/event-stream; charset=utf-8"
FOREVER = 3_600.0
FLOOD = 400  # events at a time


@dataclass(slots=True)
class Seen:
    """What became of the requests."""

    requests: int = 0
    streams: int = 0
    finished: int = 0
    abandoned: int = 0  # the other side hung up in the middle
    at: list[float] = field(default_factory=list)  # when that was noticed, by the monotonic clock
    flooded: int = 0  # bytes sent of streams without end
    last: dict[str, Any] = field(default_factory=dict)  # headers and body of the last request


class MockUpstream:
    """The ASGI application."""

    def __init__(self, remember: bool = True, usual: str = "") -> None:
        self.seen = Seen()
        self._remember = remember
        self._usual = usual  # how it behaves when a request says nothing

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["path"] == "/mock":
            await _answer(send, 200, json.dumps(asdict(self.seen)).encode())
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        body = await read_body(receive)
        self.seen.requests += 1
        if self._remember:
            self.seen.last = {"path": scope["path"], "query": scope["query_string"].decode(), "headers": headers,
                              "body": body.decode("utf-8", "replace")}  # fmt: skip
        await self._behave(scope, headers, body, receive, send)

    async def _behave(
        self, scope: dict[str, Any], headers: dict[str, str], body: bytes, receive: Receive, send: Send
    ) -> None:
        told = dict(
            word.partition("=")[::2] for word in headers.get("mock", self._usual).replace(" ", "").split(",") if word
        )
        path = scope["path"]
        anthropic = "anthropic-version" in headers
        if "silent" in told:
            await self._abandonable(asyncio.sleep(FOREVER), receive)
        elif "status" in told:
            await _answer(
                send, int(told["status"]), bodies.error(anthropic, int(told["status"])), [(b"retry-after", b"0")]
            )
        elif scope["method"] == "GET" or path.endswith(("/count_tokens", "/embeddings")):
            await _answer(send, 200, bodies.simple(path, anthropic))
        else:
            asked = json.loads(body)
            if asked.get("stream"):
                await self._abandonable(self._stream(path, asked, told, send), receive)
            else:
                await asyncio.sleep(float(told.get("delay", 0)))
                await _whole(send, bodies.whole(path, asked, told), told)

    async def _stream(self, path: str, asked: dict[str, Any], told: dict[str, str], send: Send) -> None:
        self.seen.streams += 1
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", EVENTS), (b"x-mock", b"1")]}
        )
        events = list(bodies.events(path, asked, told))
        while "flood" in told:
            self.seen.flooded += len(events[0]) * FLOOD
            await send({"type": "http.response.body", "body": events[0] * FLOOD, "more_body": True})
            await asyncio.sleep(0)  # or a client that left would never be noticed
        delay = float(told.get("delay", 0))
        for number, event in enumerate(events if delay or "truncate" in told else [b"".join(events)]):
            if delay:
                await asyncio.sleep(delay)
            if "truncate" in told and number == len(events) // 2:
                return  # the server breaks the connection off
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _abandonable(self, work: Any, receive: Receive) -> None:
        """Do it until the other side hangs up."""
        doing = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(_left(receive))
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            self.seen.finished += 1
        else:
            self.seen.abandoned += 1
            self.seen.at.append(time.monotonic())
        for each in (doing, leaving):
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each


async def _live(receive: Receive, send: Send) -> None:
    for _ in range(2):
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


async def _whole(send: Send, body: bytes, told: dict[str, str]) -> None:
    if "truncate" in told:
        headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    elif "gzip" in told:
        await _answer(send, 200, gzip.compress(body), [(b"content-encoding", b"gzip")])
    else:
        await _answer(send, 200, body, [(b"x-request-id", b"req_mock")])


async def _answer(send: Send, status: int, body: bytes, more: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body)), *(more or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
