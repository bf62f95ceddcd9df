"""One request on its way through the gateway: what is known of it, and that it is settled and recorded exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.apis.altering import Step
from stillwatch.apps.gateway.apis.endpoints import Endpoint
from stillwatch.apps.gateway.apis.errors import Answer
from stillwatch.apps.gateway.apis.handles import Sealing
from stillwatch.apps.gateway.apis.streams import Listener
from stillwatch.apps.gateway.parts import Parts, Passage
from stillwatch.apps.gateway.seams import Arrival, Outcome, RecordingFailed

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
logger = logging.getLogger("stillwatch.gateway")
CONNECTION = "stillwatch.connection"  # in the scope, when our own server serves
CLIENT_LEFT = 499  # status of what nobody was there to receive


class Exchange:
    """A request that was admitted. What is not an exchange with a model is decided upon and observed, but not kept."""

    __slots__ = ("_closed", "announced", "arrival", "decision", "endpoint", "listener", "parts", "passage", "sealing",
                 "send", "status", "task", "watcher")  # fmt: skip

    def __init__(self, parts: Parts, endpoint: Endpoint, arrival: Arrival, send: Send, passage: Passage) -> None:
        self.parts, self.endpoint, self.arrival, self.send, self.passage = parts, endpoint, arrival, send, passage
        before = parts.clock()
        self.decision: Decision = parts.decider.decide(arrival)
        self.sealing: Sealing | None = None  # of the answer's handles; set before anything goes upstream
        self.announced = self.decision  # what the client is told; less where nothing had to be lowered
        passage.deciding = parts.clock() - before
        self.status = 0  # of the answer, once its head was sent
        self.listener: Listener | None = None  # of the answer, when it is a stream
        self.task: asyncio.Task[Any] | None = None
        self.watcher: asyncio.Task[None] | None = None
        self._closed = False

    def steps(self) -> tuple[Step, ...]:
        """Return what alters the answer, made afresh; none where it passes byte for byte."""
        assert self.sealing is not None
        return self.parts.alter(self.arrival, self.decision, self.sealing)

    def watch(self, scope: dict[str, Any], receive: Receive) -> None:
        """From here on, a client that hangs up ends the exchange, and with it the request upstream."""
        self.task = asyncio.current_task()
        connection = scope.get(CONNECTION)
        if connection is not None:  # our own server tells at once
            connection.on_leave(self._left)
        else:
            self.watcher = asyncio.create_task(self._watch(receive))

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._left()

    def _left(self) -> None:
        if self.task is not None and not self.passage.left:
            self.passage.left = True
            self.task.cancel()

    def unwatch(self) -> None:
        """The answer is complete: that the client hangs up now means nothing."""
        self.task = None
        if self.watcher is not None:
            self.watcher.cancel()
            self.watcher = None

    async def answer(self, answer: Answer) -> None:
        """Give an answer of the gateway's own, once it is kept."""
        self.close(Outcome(answer.status))
        self.unwatch()
        await self.start(answer.status, list(answer.headers))
        await self.send({"type": "http.response.body", "body": answer.body})

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head of the answer."""
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    @property
    def closed(self) -> bool:
        """Whether it is settled and recorded."""
        return self._closed

    def close(self, outcome: Outcome) -> None:
        """Settle and record the exchange. Raises RecordingFailed where it then must not be answered."""
        if self._closed:
            return
        self._closed = True
        self.passage.ended = self.parts.clock()
        try:
            if self.endpoint.exchange:
                self.parts.decider.settle(self.arrival, self.decision, outcome)
                self.parts.recorder.record(self.arrival, self.decision, outcome)
        except RecordingFailed:
            self.passage.broken = "recording"
            raise
        finally:
            self.parts.observe(self.arrival, self.decision, outcome, self.passage)
