"""Fifty kills under load: whatever a client was given an answer to is in the log, once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import random
import socket
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from stillwatch.apps.gateway.recording.compactor import STRAY
from tests.apps.gateway.recording import server
from tests.apps.gateway.recording.small import compact, ids

KILLS = 50
CLIENTS = 8


@pytest.fixture(scope="module")
def forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.apps.gateway.recording.server", "uvloop", "httptools"])
    return context


async def ask(port: int, names: Iterator[str], answered: set[str]) -> None:
    """Ask one exchange after the other over one connection; note those whose whole answer came."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for name in names:
                kind = "sse" if int(name[1:]) % 2 else "json"
                writer.write(
                    b"POST /%s/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % (kind.encode(), name.encode())
                )
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
                if kind == "json":
                    await reader.readexactly(2)
                else:
                    await reader.readuntil(b"\r\n0\r\n\r\n")
                answered.add(name)
        finally:
            writer.close()


async def load(port: int, names: Iterator[str], answered: set[str], until_killed: asyncio.Event) -> None:
    """Eight clients, who come back until the server is dead for good."""

    async def client() -> None:
        while not until_killed.is_set():
            await ask(port, names, answered)
            await asyncio.sleep(0.01)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


async def one_life(
    forks: ForkServerContext, folder: Path, port: int, span: float, work: tuple[Iterator[str], set[str]]
) -> None:
    """Start a server and a compactor, load it, and kill both a while after the first answer."""
    names, answered = work
    running = [
        forks.Process(target=server.serve, args=(folder, port)),
        forks.Process(target=server.compact_for_ever, args=(folder,)),
    ]
    for each in running:
        each.start()
    killed, before = asyncio.Event(), len(answered)
    clients = asyncio.create_task(load(port, names, answered, killed))
    for _ in range(3_000):
        if len(answered) > before:
            break
        await asyncio.sleep(0.005)
    await asyncio.sleep(span)
    for each in running:
        each.kill()
        each.join()
    killed.set()
    await clients
    assert [each.exitcode for each in running] == [-9, -9]
    assert len(answered) > before


def test_every_exchange_that_was_answered_is_in_the_log_once_after_fifty_kills(
    forks: ForkServerContext, tmp_path: Path
) -> None:
    chance = random.Random(20261126)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names, answered = (f"x{number:07d}" for number in itertools.count()), set[str]()
    for _ in range(KILLS):
        asyncio.run(one_life(forks, tmp_path, port, chance.uniform(0.0, 0.2), (names, answered)))
    compact(tmp_path)
    kept = ids(tmp_path)
    assert len(kept) == len(set(kept))
    assert answered - set(kept) == set()
    assert len(answered) > 20 * KILLS
    compact(tmp_path, time.time() + 2 * STRAY)  # a worker killed as it began a file left one without a name
    assert ids(tmp_path) == kept
    assert list((tmp_path / "spool").iterdir()) == list((tmp_path / "damaged").iterdir()) == []
