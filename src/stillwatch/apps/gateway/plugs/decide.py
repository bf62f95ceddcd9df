"""`POST /v1/decide` and `POST /v1/outcome`: the decision for whoever asks by HTTP, as a raw ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stillwatch.actions.refusal import PROBLEM, error_type, phrase
from stillwatch.apps.gateway.apis.naming import Names
from stillwatch.apps.gateway.plugs.contract import (
    Ended,
    Malformed,
    arrival_from,
    arrival_in,
    decision_json,
    outcome_from,
    parse,
    told_decision,
)
from stillwatch.apps.gateway.plugs.underway import UNGUARDED, Bounds, Underway
from stillwatch.apps.gateway.seams import Decider, Recorder, RecordingFailed
from stillwatch.model import UsageError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answered = tuple[int, dict[str, Any]]

MOST = 16 << 20  # bytes of a body
TEND = 5.0  # seconds between looks at what nobody reported
LEAST_TOKEN = 16  # characters


def decide_api(
    decider: Decider, recorder: Recorder, *, token: str, names: Names, bounds: Bounds | None = None
) -> DecideApi:
    """Return the ASGI application. `token` is what callers send as a bearer; raises UsageError for a short one."""
    if len(token) < LEAST_TOKEN:
        raise UsageError(f"the token of the decide API has {len(token)} characters; give it {LEAST_TOKEN} or more")
    return DecideApi(Underway(decider, recorder, bounds or Bounds()), token, names)


class DecideApi:
    """Answers `/v1/decide` and `/v1/outcome`. Mounted without lifespan, call `close` at the end."""

    def __init__(self, underway: Underway, token: str, names: Names) -> None:
        self.underway = underway
        self._bearer = f"Bearer {token}".encode()
        self._names = names

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            status, said = await self._answer(scope, receive)
            await _send(send, status, said)

    def close(self) -> None:
        """Keep what is under way, as not reported."""
        self.underway.close()

    async def _answer(self, scope: Message, receive: Receive) -> Answered:
        does = {"/v1/decide": self._decide, "/v1/outcome": self._outcome}.get(scope["path"])
        sent = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(sent, self._bearer):
            return problem(401, "unauthorised", "Send the token of the decide API: Authorization: Bearer …")
        if does is None:
            return problem(404, "no-such-page", "There are POST /v1/decide and POST /v1/outcome.")
        if scope["method"] == "GET" and scope["path"] == "/v1/decide":
            return 200, {"ready": True, "under_way": len(self.underway), "counts": dict(self.underway.counts)}
        if scope["method"] != "POST":
            return problem(405, "method", "Use POST.")
        body = await read_all(receive, MOST)
        if body is None:
            return problem(413, "too-large", f"A body may have {MOST} bytes.")
        try:
            return does(body)
        except Malformed as error:
            return malformed(error)
        except RecordingFailed:
            return problem(503, "not-kept", "The exchange cannot be kept now; tell it again later.")

    def _decide(self, body: bytes) -> Answered:
        arrival = arrival_in(body, self._names)
        return 200, decision_json(arrival, self.underway.decide(arrival))

    def _outcome(self, body: bytes) -> Answered:
        told = parse(Ended, body)
        outcome = outcome_from(told, self._names)
        if self.underway.has_ended(told.exchange_id):
            return 200, {"exchange_id": told.exchange_id, "recorded": False, "already": True}
        if told.exchange is not None and told.exchange.exchange_id not in ("", told.exchange_id):
            raise Malformed(("exchange.exchange_id", "is another one than exchange_id"))
        if self.underway.end(told.exchange_id, outcome):
            return 200, {"exchange_id": told.exchange_id, "recorded": True, "already": False}
        if told.exchange is None:
            said = "is not under way here; send `exchange` with the fields of the exchange, and `decision`, beside it"
            raise Malformed(("exchange_id", said))
        told.exchange.exchange_id = told.exchange_id
        decision = UNGUARDED if told.unguarded else told_decision(told.decision)
        self.underway.keep(arrival_from(told.exchange, self._names), decision, outcome)
        return 200, {"exchange_id": told.exchange_id, "recorded": True, "already": False}

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        tending = asyncio.create_task(self._tend())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        tending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await tending
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND)
            self.underway.expire()


def problem(status: int, reason: str, detail: str) -> Answered:
    """Return a problem of the call itself."""
    said = {"type": "about:blank", "title": phrase(status), "status": status, "detail": detail, "reason": reason}
    return status, said | {"error": {"type": error_type(status), "code": reason, "message": detail}}


def malformed(error: Malformed) -> Answered:
    """Return the problem that names each field and its mend."""
    status, said = problem(422, "malformed", f"The request is not as described: {error}")
    return status, said | {"errors": [{"field": field, "mend": mend} for field, mend in error.faults]}


def replay(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read already, then whatever comes next."""
    held = [body]

    async def replayed() -> Message:
        if held:
            return {"type": "http.request", "body": held.pop(), "more_body": False}
        return await receive()

    return replayed


async def read_all(receive: Receive, most: int) -> bytes | None:
    """Return a request's body; None where it is larger than `most`, after the rest of it was read and dropped."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts) if size <= most else None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= most:
            parts.append(chunk)
        if not message.get("more_body", False):
            return b"".join(parts) if size <= most else None


async def _send(send: Send, status: int, said: dict[str, Any]) -> None:
    body = json.dumps(said).encode()
    kind = PROBLEM if status >= 400 else "application/json"
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
