"""HTTP/1.1 of clients: uvicorn's protocol with the limits that it leaves to a proxy in front.

uvicorn with httptools has no limit on headers and none on the time in which a request must arrive, and tells only the
last of several pipelined requests that its client left. llhttp in its strict mode refuses what smuggling needs: both
lengths, several lengths, chunked not last, bare line feeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from stillwatch.apps.gateway.exchange import CONNECTION
from stillwatch.apps.gateway.settings import Limits, Timeouts

MOST_HEADERS = 128  # names; a browser sends some twenty
TOO_LONG = STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n"
TOO_SLOW = STATUS_LINE[408] + b"content-length: 0\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """One client's connection."""

    header_bytes = Limits().header_bytes

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.incoming_since: float | None = None  # a request is arriving
        self.stalled_since: float | None = None  # the client reads nothing
        self._head = 0  # bytes of the head that is arriving; -1: it is complete
        self._running: RequestResponseCycle | None = None
        self._leave: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Await the first request."""
        super().connection_made(transport)
        self.incoming_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless the head is too long."""
        if self._head >= 0:
            self._head += len(data)
            if self._head > self.header_bytes and not self._ends_head(data):
                self._give_up(TOO_LONG)
                return
        super().data_received(data)

    def _ends_head(self, data: bytes) -> bool:
        """Whether the head ends in this piece and within the limit: what follows it may be a long body."""
        end = data.find(b"\r\n\r\n")
        return 0 <= end <= len(data) - (self._head - self.header_bytes)

    def on_message_begin(self) -> None:
        """A request begins to arrive."""
        super().on_message_begin()
        scope: Any = self.scope
        scope[CONNECTION] = self
        if self.incoming_since is None:
            self.incoming_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._head = -1
        if len(self.headers) > MOST_HEADERS:
            self._give_up(TOO_LONG)
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self.incoming_since, self._head = None, 0
        if self.cycle is not None:
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of its body, unless the request was refused by its head."""
        if self.cycle is not None:
            super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running, self._leave = cycle, None
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered, which need not be the last that arrived."""
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
            if self._leave is not None:
                self._leave()
        super().connection_lost(exc)

    def on_leave(self, told: Callable[[], None]) -> None:
        """Call this when the client hangs up while its request is being answered."""
        self._leave = told
        self.flow.resume_reading()  # which a long body may have stopped: nothing is noticed while it is
        if self._running is not None and self._running.disconnected:
            told()

    def check(self, now: float, timeouts: Timeouts) -> None:
        """Give up a client that sends its request, or takes its answer, too slowly."""
        if self.incoming_since is not None and now - self.incoming_since > timeouts.request:
            self._give_up(TOO_SLOW)
        if self.flow is None or not self.flow.write_paused:
            self.stalled_since = None
        elif self.stalled_since is None:
            self.stalled_since = now
        elif now - self.stalled_since > timeouts.client_stall:
            self.transport.abort()

    def _give_up(self, told: bytes) -> None:
        """Say why, where nothing is being answered, and close."""
        if self._running is None or self._running.response_complete:
            self.transport.write(told)
            self.transport.close()
        else:
            self.transport.abort()


def bounded(limits: Limits) -> type[BoundedProtocol]:
    """Return the protocol with these limits."""
    return type("Bounded", (BoundedProtocol,), {"header_bytes": limits.header_bytes})
