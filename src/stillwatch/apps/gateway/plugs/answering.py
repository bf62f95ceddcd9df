"""An application's answer on its way to the client: held where it must be altered whole, and read as it passes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.plugs.altering import EventFilter, altered_answer
from stillwatch.apps.gateway.plugs.answers import Answer, answer_of
from stillwatch.apps.gateway.plugs.decide import problem
from stillwatch.apps.gateway.plugs.refusing import TYPE, altered
from stillwatch.apps.gateway.seams import Outcome, RecordingFailed

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Tell = Callable[[Outcome], Awaitable[None]]
KEPT_FROM = 300  # an answer from this status on is an error: nothing of it is altered


class Relayed:
    """One answer. The exchange is recorded before its last byte is sent, so that what cannot be kept is not finished.

    An answer in JSON is held until it is whole; events pass as they come, and break off where they cannot be kept.
    """

    def __init__(self, send: Send, decision: Decision, tell: Tell) -> None:
        self._send, self._decision, self._effect, self._tell = send, decision, decision.effect, tell
        self._start: Message | None = None
        self._answer: Answer = answer_of("")
        self._held: bytearray | None = None  # an answer in JSON
        self._filter = EventFilter(frozenset())
        self.ended = False

    async def send(self, message: Message) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            await self._pass(message.get("body", b""), message.get("more_body", False))
        else:
            await self._send(message)

    def outcome(self, unanswered: int) -> Outcome:
        """Return how it ended so far; with the status `unanswered` where nothing was answered."""
        return self._answer.outcome(unanswered if self._start is None else self._start["status"])

    async def _begin(self, start: Message) -> None:
        headers = {name.lower(): value for name, value in start.get("headers", ())}
        kind = headers.get(b"content-type", b"").decode("latin-1")
        self._start, self._answer = dict(start), answer_of(kind)
        drop = self._effect.drop if start["status"] < KEPT_FROM else frozenset[str]()
        said = altered(self._decision) if start["status"] < KEPT_FROM else {}
        told = [(name.encode(), value.encode()) for name, value in said.items()]
        self._start["headers"] = [*start.get("headers", ()), *told]
        if kind.startswith(("application/json", "application/problem+json")):
            self._held = bytearray()
            return
        if drop:
            self._filter = EventFilter(drop)
            self._set_length(None)
        await self._send(self._start)

    async def _pass(self, body: bytes, more: bool) -> None:
        self._answer.feed(body)
        if self._held is not None:
            self._held += body
            if not more:
                await self._release(bytes(self._held))
            return
        made = self._filter.feed(body)
        if not more:
            made += self._filter.rest()
            await self._end()
        await self._send({"type": "http.response.body", "body": made, "more_body": more})

    async def _release(self, body: bytes) -> None:
        assert self._start is not None
        try:
            await self._end()
        except RecordingFailed:
            status, said = problem(503, "not-kept", "The exchange cannot be kept now. Try again shortly.")
            body = json.dumps(said).encode()
            self._start.update(status=status, headers=[(b"content-type", TYPE.encode())])
        if self._start["status"] < KEPT_FROM:
            body = altered_answer(body, self._effect.drop)
        self._set_length(len(body))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})

    async def _end(self) -> None:
        assert self._start is not None
        self.ended = True
        await self._tell(self._answer.outcome(self._start["status"]))

    def _set_length(self, length: int | None) -> None:
        assert self._start is not None
        kept = [(name, value) for name, value in self._start.get("headers", ()) if name.lower() != b"content-length"]
        self._start["headers"] = kept if length is None else [*kept, (b"content-length", str(length).encode())]
