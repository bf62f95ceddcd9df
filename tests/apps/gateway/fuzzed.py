"""A gateway with everything on in a process of its own, an upstream that echoes marks, a client that sends bytes."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stillwatch.apps.gateway import wiring
from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.callers import Caller
from stillwatch.apps.gateway.serving.supervisor import bind
from stillwatch.apps.gateway.serving.worker import make_server
from stillwatch.apps.gateway.settings import load_config

MARK = re.compile(rb"mark-(?:alice|bob|hidden)-\d+")
MODEL = re.compile(rb'"model": "(mark-(?:alice|bob|hidden)-\d+)"')
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
KEYS = {f"sk-sw-{name}": Caller(name, f"key-{name}") for name in ("alice", "bob")}
PATIENCE = 15.0


def serve(path: Path, address: str) -> None:
    """What `stillwatch gateway` runs as a worker, with two keys."""
    config = load_config(path)
    parts = replace(wiring.build_parts(config), find_key=lambda key, now: KEYS.get(key))
    make_server(Gateway(config, parts)).run(sockets=[bind(address)])


@dataclass
class Echo:
    """An upstream that answers everything with the mark that it finds as its model."""

    seen: Counter[str] = field(default_factory=Counter)
    open: list[dict[str, Any]] = field(default_factory=list)  # headers of requests that are not answered yet

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
            return
        told = {"headers": scope["headers"]}
        self.open.append(told)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.open.remove(told)
        mark = (MODEL.findall(body) or [b"mark-none"])[0].decode()
        self.seen[mark] += 1
        usage = {"prompt_tokens": 3, "completion_tokens": 5, "input_tokens": 3, "output_tokens": 5}
        answer = json.dumps({"id": mark, "usage": usage}).encode()
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": answer})


def request(mark: str, account: str = "alice", path: str = "/v1/chat/completions", more: str = "") -> bytes:
    """A sound request."""
    body = json.dumps({"model": mark, "messages": [{"role": "user", "content": f"Why {mark}?"}]}).encode()
    return framed(body, account, path, more)


def framed(body: bytes, account: str = "alice", path: str = "/v1/chat/completions", more: str = "") -> bytes:
    """A request with any body."""
    return head(account, path, f"{more}content-length: {len(body)}\r\n") + b"\r\n" + body


def head(account: str = "alice", path: str = "/v1/chat/completions", more: str = "") -> bytes:
    """The beginning of a request, without the empty line."""
    text = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-sw-{account}\r\n{more}"
    return text.encode("utf-8", "surrogateescape")


def send_all(address: tuple[str, int], texts: list[list[bytes]]) -> list[bytes]:
    """Send each on a connection of its own, all at once, piece by piece; return what came back on each."""

    async def one(pieces: list[bytes]) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        reading = asyncio.create_task(reader.read(-1))
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                if len(pieces) > 1:
                    await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        try:
            return await asyncio.wait_for(reading, PATIENCE)
        except ConnectionError:
            return b""
        except TimeoutError:
            raise AssertionError(f"neither answered nor closed: {b''.join(pieces)[:400]!r}") from None
        finally:
            writer.close()

    async def every() -> list[bytes]:
        return await asyncio.gather(*(one(pieces) for pieces in texts))

    return asyncio.run(every())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
