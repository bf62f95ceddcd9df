"""A gateway before an upstream that says exactly what a test tells it to, in the pieces that the test cuts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.bare import bare_parts
from stillwatch.apps.gateway.serving.worker import make_server
from stillwatch.apps.gateway.settings import load_config
from tests.apps.gateway.running import CALLERS, Remembering, running, served, write_config

EVENTS, JSON = "text/event-stream", "application/json"


@dataclass
class Script:
    """What is said next, and what was asked."""

    pieces: list[bytes] = field(default_factory=list)
    kind: str = JSON
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def say(self, body: bytes | dict[str, Any], *cuts: int) -> None:
        """Say a body next; a stream where it is one."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.kind = EVENTS if text.startswith((b"data:", b"event:", b":")) else JSON
        places = sorted({0, len(text), *(at % (len(text) + 1) for at in cuts)})
        self.pieces = [text[at:to] for at, to in itertools.pairwise(places)]

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        self.paths.append(scope["path"])
        self.asked.append(json.loads(body) if body else {})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", self.kind.encode())]})
        for piece in self.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Scripted:
    """What a test talks to."""

    url: str
    script: Script
    parts: Remembering


@contextmanager
def scripted(folder: Path, more: str = "", upstream_more: str = "", **parts: Any) -> Iterator[Scripted]:
    """A whole stack, from a gateway.toml on."""
    script, remembering = Script(), Remembering()
    given = bare_parts(remembering, remembering, lambda key, now: CALLERS.get(key))
    with served(script) as upstream:
        config = load_config(write_config(folder, upstream, more, upstream_more))
        gateway = Gateway(config, replace(given, **parts))
        server = make_server(gateway)
        server.config.timeout_graceful_shutdown = 1
        with running(server) as url:
            yield Scripted(url, script, remembering)
