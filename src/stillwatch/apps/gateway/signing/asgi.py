"""ASGI middleware that signs the answers of any application that serves a model API.

`app = SigningMiddleware(app, keys="answer-keys.json")`. Put it outside of all but compression: it signs
what it sees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from stillwatch.apps.gateway.apis.parsing import parse_object
from stillwatch.apps.gateway.plugs.decide import read_all, replay
from stillwatch.apps.gateway.signing.answers import AnswerSigning, Asking, Keeps, SignedStream
from stillwatch.integrity.signing.reading import endpoint_at

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
MOST = 64 << 20  # bytes of a request
REWRITTEN = (b"content-length", b"etag", b"content-md5", b"digest", b"content-digest")


class SigningMiddleware:
    """Signs answers, and publishes the keys at the well-known path. What it does not know passes as it is."""

    def __init__(self, app: App, keys: str | Path, *, headers: bool = True, receipts: Keeps | None = None) -> None:
        """`receipts` gets every receipt, such as `Receipts(folder)` for the ledger. Raises where no key may sign."""
        self._app, self._signing = app, AnswerSigning(Path(keys), headers, receipts)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == self._signing.published_at:
            await self._publish(send)
            return
        endpoint = endpoint_at(scope["method"], scope["path"])
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        body = await read_all(receive, MOST)
        if body is None:
            await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        asking = self._signing.question(endpoint, parse_object(body), headers, body)
        path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("latin-1")
        signed = _Signed(self._signing, Asking(asking.question, path, asking.digest), send)
        await self._app(_plain(scope), replay(body, receive), signed.send)

    async def _publish(self, send: Send) -> None:
        said = self._signing.published()
        await send({"type": "http.response.start", "status": said.status, "headers": list(said.headers)})
        await send({"type": "http.response.body", "body": said.body})


class _Signed:
    """One answer: JSON is held until it is whole, events pass as they come."""

    def __init__(self, signing: AnswerSigning, asking: Asking, send: Send) -> None:
        self._signing, self._asking, self._send = signing, asking, send
        self._start: dict[str, Any] = {}
        self._held: list[bytes] | None = None
        self._stream: SignedStream | None = None

    async def send(self, message: Message) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            await self._body(message.get("body", b""), message.get("more_body", False))
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        self._start = dict(message)
        headers = {name.lower(): value for name, value in message.get("headers", ())}
        kind = headers.get(b"content-type", b"").decode("latin-1")
        if message["status"] == 200 and b"content-encoding" not in headers:
            if kind.startswith("text/event-stream"):
                self._stream = self._signing.stream(self._asking, kind)
            elif kind.startswith("application/json"):
                self._held = []
                return
        if self._stream is not None:
            self._start["headers"] = [*_kept(self._start), *self._stream.head]
        await self._send(self._start)

    async def _body(self, body: bytes, more: bool) -> None:
        if self._stream is not None:
            body = self._stream.events.feed(body) + (b"" if more else self._stream.events.rest())
        if self._held is None:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
            return
        self._held.append(body)
        if not more:
            await self._release(b"".join(self._held))

    async def _release(self, body: bytes) -> None:
        headers: Mapping[bytes, bytes] = {name.lower(): value for name, value in self._start["headers"]}
        signed = self._signing.whole(body, self._asking, headers[b"content-type"].decode("latin-1"))
        if signed is not None:
            body = signed.body
            self._start["headers"] = [*_kept(self._start), (b"content-length", b"%d" % len(body)), *signed.head]
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})


def _kept(start: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in start.get("headers", ()) if name.lower() not in REWRITTEN]


def _plain(scope: Message) -> Message:
    """The request without what would have its answer compressed: that could not be signed."""
    kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
    return {**scope, "headers": kept, "extensions": {}}
