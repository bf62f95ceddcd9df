"""The two servers of a replay: a gateway whose clock is the log's, and an upstream that answers as the log says.

The gateway is built of what `stillwatch gateway` is built of. Three things are the lab's: a header says what time it is
and how the exchange is called, and a key names its account. `stillwatch gateway` has no such header, and no such key.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import uvicorn

from stillwatch.apps.gateway import wiring
from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.callers import Caller
from stillwatch.apps.gateway.parts import Parts
from stillwatch.apps.gateway.serving.supervisor import bind
from stillwatch.apps.gateway.serving.worker import make_server
from stillwatch.apps.gateway.settings import Config
from stillwatch.lab.gateway.wording import ANSWER, EXCHANGE, FROM_UPSTREAM, TIME, answer_to

SECOND = 1_000_000
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_moment: ContextVar[int] = ContextVar("moment", default=0)
_exchange: ContextVar[str] = ContextVar("exchange", default="")


class ReplayGateway(Gateway):
    """A gateway that lives in the time of a log."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Take time and name of the exchange from its headers, then serve it."""
        if scope["type"] == "http":
            told = dict(scope["headers"])
            _moment.set(int(told.get(TIME.encode(), b"0")))
            _exchange.set(told.get(EXCHANGE.encode(), b"").decode())
        await super().__call__(scope, receive, send)


def replay_parts(config: Config) -> Parts:
    """Return a worker's parts, on the log's time."""
    parts = wiring.build_parts(config, clock=lambda: _moment.get() / SECOND)
    return replace(parts, now=_moment.get, new_id=_exchange.get, find_key=find_key)


def find_key(key: str, now: int) -> Caller | None:
    """Return the account that a key of the lab names."""
    del now
    name, _, rest = key.partition(".")
    account, _, key_id = rest.partition(".")
    return Caller(account, key_id or None) if name == "lab" and account else None


def serve_gateway(config: Config, address: str) -> None:
    """Serve one worker, until it is ended; only what is wrong with it is told."""
    logging.getLogger("stillwatch").setLevel(logging.ERROR)
    make_server(ReplayGateway(config, replay_parts(config))).run(sockets=[bind(address)])


def serve_upstream(address: str) -> None:
    """Serve the upstream, until it is ended."""
    told = uvicorn.Config(answer, ws="none", log_config=None, access_log=False, lifespan="off")
    uvicorn.Server(told).run(sockets=[bind(address)])


async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one request as its header says."""
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    told = json.loads(dict(scope["headers"])[ANSWER.encode()])
    stream = told["status"] < 300 and b'"stream": true' in b"".join(pieces)
    body = answer_to(scope["path"], told, stream)
    kind = b"text/event-stream" if stream else b"application/json"
    head = [(b"content-type", kind), (FROM_UPSTREAM.encode(), b"1"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": told["status"], "headers": head})
    await send({"type": "http.response.body", "body": body})
