"""A gateway before a mock upstream, both served for real on free ports, with parts that remember what they got."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import uvicorn

from stillwatch.actions.decision import ALLOWED, Decision
from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.bare import bare_parts
from stillwatch.apps.gateway.callers import Caller
from stillwatch.apps.gateway.parts import Passage
from stillwatch.apps.gateway.seams import Arrival, Outcome, RecordingFailed
from stillwatch.apps.gateway.serving.worker import make_server
from stillwatch.apps.gateway.settings import Config, load_config
from stillwatch.lab.mock_upstream import MockUpstream

ALICE, BOB, PROVIDER_KEY = "sk-sw-alice", "sk-sw-bob", "sk-provider-kept-by-the-gateway"
CALLERS = {ALICE: Caller("alice", "key-1"), BOB: Caller("bob", "key-2")}
PATIENCE = 120.0  # seconds until a test gives up, on a machine that does much else


@dataclass
class Remembering:
    """A decider and a recorder in one."""

    decision: Decision = ALLOWED
    fails: bool = False
    arrivals: list[Arrival] = field(default_factory=list)
    settled: list[Outcome] = field(default_factory=list)
    kept: list[tuple[Arrival, Decision, Outcome]] = field(default_factory=list)
    seen: list[tuple[Arrival, Outcome, Passage]] = field(default_factory=list)

    def decide(self, arrival: Arrival) -> Decision:
        self.arrivals.append(arrival)
        return self.decision

    def settle(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        self.settled.append(outcome)

    def record(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        if self.fails:
            raise RecordingFailed
        self.kept.append((arrival, decision, outcome))

    def observe(self, arrival: Arrival, decision: Decision, outcome: Outcome, passage: Passage) -> None:
        self.seen.append((arrival, outcome, passage))

    def outcome(self, number: int = 1) -> Outcome:
        """The outcome of the so-manieth exchange."""
        wait_until(lambda: len(self.kept) >= number)
        assert len(self.kept) == number
        return self.kept[-1][2]


@dataclass
class Stack:
    """What a test talks to."""

    url: str
    mock: MockUpstream
    parts: Remembering
    gateway: Gateway
    upstream_url: str


def wait_until(holds: Callable[[], bool], patience: float = PATIENCE) -> None:
    until = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application from a thread; yields its address."""
    config = uvicorn.Config(app, ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    with running(uvicorn.Server(config)) as url:
        yield url


@contextmanager
def running(server: uvicorn.Server) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    host, port = listener.getsockname()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()


def write_config(folder: Path, upstream: str, more: str = "", upstream_more: str = "") -> Path:
    (folder / "secret").write_text("a secret of the deployment")
    (folder / "provider").write_text(PROVIDER_KEY)
    path = folder / "gateway.toml"
    path.write_text(f"""
data = "data"
secret = {{ file = "secret" }}
{more}
[[upstreams]]
name = "main"
url = "{upstream}"
apis = ["openai", "anthropic"]
{upstream_more or 'key = { file = "provider" }'}
""")
    return path


@contextmanager
def stack(folder: Path, more: str = "", upstream_more: str = "", change: Callable[[Config], Config] | None = None,
          **parts: Any) -> Iterator[Stack]:  # fmt: skip
    """A whole stack, from a gateway.toml on."""
    mock, remembering = MockUpstream(), Remembering()
    given = bare_parts(remembering, remembering, lambda key, now: CALLERS.get(key))
    with served(mock) as upstream:
        config = load_config(write_config(folder, upstream, more, upstream_more))
        gateway = Gateway(
            change(config) if change else config, replace(given, **({"observe": remembering.observe} | parts))
        )
        server = make_server(gateway)
        server.config.timeout_graceful_shutdown = 1
        with running(server) as url:
            yield Stack(url, mock, remembering, gateway, upstream)


def exchange_raw(url: str, text: bytes, until: bytes = b"") -> bytes:
    """Send bytes as they are; return all that comes back until the other side closes, or `until` came."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(text)
        got = b""
        while not (until and until in got):
            piece = connection.recv(65_536)
            if not piece:
                break
            got += piece
    return got
