"""An application's answer on its way to the client: held where it must be altered whole, and read as it passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.apis.altering import AlteredStream, Steps, alter_answer
from stillwatch.apps.gateway.apis.endpoints import NAMED
from stillwatch.apps.gateway.apis.errors import NOT_ALTERED, NOT_KEPT, Refused, answer_to
from stillwatch.apps.gateway.apis.naming import Name
from stillwatch.apps.gateway.apis.parsing import parse_object
from stillwatch.apps.gateway.apis.reading import outcome_of
from stillwatch.apps.gateway.apis.refusals import announce
from stillwatch.apps.gateway.apis.steps import steps_for
from stillwatch.apps.gateway.apis.streams import TELLS, Listener
from stillwatch.apps.gateway.seams import Outcome, RecordingFailed

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Tell = Callable[[Outcome], Awaitable[None]]
Alters = Callable[[Decision], Steps]
KEPT_FROM = 300  # an answer from this status on is an error: nothing of it is altered


def by_its_effect(decision: Decision) -> Steps:
    """Return the steps of a decision, for whoever serves no twins."""
    return steps_for(decision.effect)


class Relayed:
    """One answer. The exchange is recorded before its last byte is sent, so that what cannot be kept is not finished.

    An answer in JSON is held until it is whole; events pass as they come, and break off where they cannot be kept.
    """

    def __init__(
        self, send: Send, decision: Decision, tell: Tell, asked: tuple[str, str, Name], alters: Alters = by_its_effect
    ) -> None:
        """`asked` has the API, the endpoint, and what names handles; `alters` gives the steps of a decision."""
        self._send, self._decision, self._alters, self._tell = send, decision, alters, tell
        self._api, self._endpoint, self._name = asked
        self._start: Message | None = None
        self._held: bytearray | None = None  # an answer in JSON
        self._listener: Listener | None = None  # to an answer in events
        self._filter: AlteredStream | None = None
        self._steps: Steps = ()
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
        status = unanswered if self._start is None else self._start["status"]
        heard = self._listener
        if heard is not None:
            return Outcome(status, *heard.tokens(), heard.artefacts, heard.words())
        return outcome_of(status, parse_object(bytes(self._held or b"")), self._name)

    async def _begin(self, start: Message) -> None:
        headers = {name.lower(): value for name, value in start.get("headers", ())}
        kind = headers.get(b"content-type", b"").decode("latin-1")
        self._start = dict(start)
        self._steps = self._alters(self._decision) if start["status"] < KEPT_FROM else ()
        told = announce(self._decision) if start["status"] < KEPT_FROM else ()
        self._start["headers"] = [*start.get("headers", ()), *told]
        if kind.startswith(("application/json", "application/problem+json")):
            self._held = bytearray()
            return
        endpoint = NAMED.get(self._endpoint)
        if endpoint in TELLS and kind.startswith("text/event-stream"):
            self._listener = Listener(endpoint, self._name, keep_text=True)
        if self._steps:
            self._filter = AlteredStream(self._steps)
            self._set_length(None)
        await self._send(self._start)

    async def _pass(self, body: bytes, more: bool) -> None:
        if self._listener is not None:
            self._listener.feed(body)
        if self._held is not None:
            self._held += body
            if not more:
                await self._release(bytes(self._held))
            return
        if self._filter is not None:
            body = self._filter.feed(body) + (b"" if more else self._filter.rest())
        if not more:
            await self._end()
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _release(self, body: bytes) -> None:
        assert self._start is not None
        try:
            await self._end()
            if self._steps:
                body = alter_answer(body, self._steps)
        except RecordingFailed:
            body = self._refuse(NOT_KEPT)
        except (ValueError, RecursionError):
            body = self._refuse(NOT_ALTERED)
        self._set_length(len(body))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})

    def _refuse(self, why: Refused) -> bytes:
        assert self._start is not None
        said = answer_to(self._api, why)
        self._start.update(status=said.status, headers=list(said.headers))
        return said.body

    async def _end(self) -> None:
        assert self._start is not None
        self.ended = True
        await self._tell(self.outcome(self._start["status"]))

    def _set_length(self, length: int | None) -> None:
        assert self._start is not None
        kept = [(name, value) for name, value in self._start.get("headers", ()) if name.lower() != b"content-length"]
        self._start["headers"] = kept if length is None else [*kept, (b"content-length", str(length).encode())]
