"""A small gateway around the spool: answers only what it has recorded, whole or as a stream. For tests that kill it."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.recording.compactor import Compactor
from stillwatch.apps.gateway.recording.layout import Layout, files
from stillwatch.apps.gateway.recording.spool import Spool
from tests.apps.gateway.recording.small import KEY, OK, arrival, settings

Send = Callable[[dict[str, Any]], Awaitable[None]]
EVENTS = 5
QUICK = {"rotate_seconds": 0.05, "fsync_seconds": 0.05, "fsync": "interval"}
HEADERS = [(b"content-type", b"text/plain")]


class App:
    """POST /json/ID and POST /sse/ID; the exchange is recorded before the last byte of its answer goes out."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        _, kind, name = scope["path"].split("/")
        if kind == "sse":
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            for number in range(EVENTS):
                await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
                await asyncio.sleep(0)
        self._spool.record(arrival(0, exchange_id=name), ALLOWED, OK)
        if kind == "json":
            await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, (b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


def serve(folder: Path, port: int) -> None:
    """Answer until killed."""
    spool = Spool(settings(folder, **QUICK)).start()
    config = uvicorn.Config(App(spool), port=port, log_level="critical", lifespan="off", access_log=False)
    uvicorn.Server(config).run()


def compact_for_ever(folder: Path) -> None:
    """Compact, and fold every other segment at once, until killed."""
    with Compactor(settings(folder, **QUICK), KEY) as compactor:
        for turn in itertools.count():
            compactor.sweep()
            if turn % 2:
                for path in files(Layout(folder).waiting, ".parquet"):
                    compactor.texts.after_fold(path)
            if os.getppid() == 1:
                return
