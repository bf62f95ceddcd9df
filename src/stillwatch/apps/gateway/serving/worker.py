"""One worker: the application in uvicorn, what it looks at every second, and its end without a broken answer."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

import uvicorn

from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.parts import Parts
from stillwatch.apps.gateway.serving.protocol import BoundedProtocol, bounded
from stillwatch.apps.gateway.settings import Config

logger = logging.getLogger("stillwatch.gateway")
BuildParts = Callable[[Config], Parts]
TICK = 1.0  # seconds


class Server(uvicorn.Server):
    """uvicorn's server, which goes unready before it goes away."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self.gateway = gateway
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain: readiness goes false, then no connection is accepted, then answers under way end. Twice: at once."""
        del frame
        if self.gateway.draining and sig == signal.SIGINT:
            self.force_exit = self.should_exit = True
        if self.gateway.draining or self._loop is None:
            self.should_exit = self.should_exit or self._loop is None
            return
        self.gateway.draining = True
        self._loop.call_soon_threadsafe(self._loop.call_later, self.gateway.config.timeouts.unready, self._leave)

    def _leave(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and look around every second."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._ticking = asyncio.create_task(self._tick())
        self._watching = asyncio.create_task(self.gateway.watch(TICK))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, and what looks around with it."""
        self._watching.cancel()
        await super().shutdown(sockets)
        for each in list(self.server_state.connections):
            each.transport.abort()  # of clients that do not read: the loop would wait for them
        self._ticking.cancel()
        await asyncio.gather(self._watching, self._ticking, return_exceptions=True)

    async def _tick(self) -> None:
        parent, timeouts = os.getppid(), self.gateway.config.timeouts
        while True:
            await asyncio.sleep(TICK)
            now = asyncio.get_running_loop().time()
            for each in list(self.server_state.connections):
                if isinstance(each, BoundedProtocol):
                    each.check(now, timeouts)
            if os.getppid() != parent and not self.gateway.draining:
                logger.error("supervisor-gone", extra={"pid": os.getpid()})
                self.handle_exit(signal.SIGTERM, None)


def make_server(gateway: Gateway) -> Server:
    """Return a server for an application, without a socket yet."""
    config, timeouts = gateway.config, gateway.config.timeouts
    told = uvicorn.Config(
        gateway,
        loop="uvloop",
        http=bounded(config.limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=int(timeouts.client_idle),
        timeout_graceful_shutdown=int(timeouts.drain),
    )
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # the gateway itself says what ended early, and why
    return Server(told, gateway)


def run_worker(config: Config, build: BuildParts, listener: socket.socket, ready: Connection | None = None) -> None:
    """Serve until told to end. What is wrong at the start ends the process."""
    gateway = Gateway(config, build(config))
    server = make_server(gateway)
    if ready is not None:
        server.config.callback_notify = _say_once(ready)
        server.config.timeout_notify = 0
    gc.freeze()  # what was made at the start stays: looking through it again and again would cost every request
    server.run(sockets=[listener])


def _say_once(ready: Connection) -> Any:
    async def said() -> None:
        if not ready.closed:
            ready.send("ready")
            ready.close()

    return said
