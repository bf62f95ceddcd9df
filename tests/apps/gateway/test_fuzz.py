"""The running gateway, everything on, under a fuzzer: more than a thousand requests that are not as they should be.

What holds afterwards: it serves on, it never answered 5xx, no account saw another's words, nothing hidden in a request
became one, its memory did not grow, and every answer that a client got is in the exchange log once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from stillwatch.actions.policy_file import SHIPPED
from stillwatch.apps.gateway.places import Places
from stillwatch.apps.gateway.recording.compactor import Compactor
from stillwatch.apps.gateway.settings import load_config
from stillwatch.sketch.text import SketchKey
from tests.apps.gateway.fuzzed import MARK, STATUS, Echo, framed, free_port, head, request, send_all, serve
from tests.apps.gateway.running import exchange_raw, served, wait_until, write_config

MORE = f"""
policy = "{SHIPPED / "enforcing.yaml"}"
[limits]
request_bytes = 65536
header_bytes = 8192
[timeouts]
request = 0.6
client_idle = 1
drain = 5
[recording]
slow_seconds = 60
"""
AT_ONCE, ROUNDS = 24, 46  # 1,104 requests
GROWTH = 64 << 20  # bytes
numbers = count(1)
CONFLICTS = (
    "content-length: 5\r\ntransfer-encoding: chunked\r\n", "content-length: 5\r\ncontent-length: 6\r\n",
    "transfer-encoding: chunked, identity\r\n", "transfer-encoding: xchunked\r\n", "content-length: 5, 6\r\n",
    "transfer-encoding : chunked\r\n", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
    "content-length: 0x5\r\n", "content-length: +5\r\n", "content-length: -1\r\n", "transfer-encoding:\x0bchunked\r\n",
    "content-length: 5\r\nTransfer-Encoding: chunked\r\n", "content-length: 99999999999999999999\r\n",
)  # fmt: skip
CHUNKS = (
    b"5\r\nhello", b"-1\r\n", b"0x5\r\nhello\r\n", b"fffffffffffffffffff\r\n",
    b"5;x=" + b"y" * 9_000 + b"\r\nhello\r\n",
    b"5\nhello\n0\n\n", b"zz\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"1\r\n{\r\n" * 300, b"0\r\nx-trailer: 1\r\n\r\n",
)  # fmt: skip
LINES = (
    b"x: a\r\n folded: b\r\n", b"x: y\n", b"x y: z\r\n", b": nothing\r\n", b"x: \x00\r\n", b"x: \xff\xfe\r\n",
    b"x: " + b"y" * 9_000 + b"\r\n", b"x: y\r\n" * 900, b"expect: 100-continue\r\n", b"upgrade: h2c\r\n",
    b"authorization: Bearer sk-sw-bob\r\n", b"host: elsewhere\r\n", b"content-encoding: gzip\r\n", b"\r\n\r\n",
    b"connection: close, authorization\r\n", b"x-forwarded-for: 1.2.3.4\r\n", b"traceparent: \x7f\r\n",
)  # fmt: skip
PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=20), st.just(10**400)
)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS = ("messages", "input", "prompt", "system", "tools", "max_tokens", "n", "temperature", "stream", "metadata",
          "instructions", "previous_response_id", "stream_options", "thinking", "logprobs")  # fmt: skip


def mark(account: str = "alice") -> str:
    return f"mark-{account}-{next(numbers):06d}"  # of one length: what hypothesis draws must not depend on it


def hidden(account: str) -> bytes:
    """What must not become a request."""
    return b"0\r\n\r\n" + request(mark("hidden"), account)


@st.composite
def odd_fields(draw: st.DrawFn) -> list[bytes]:
    """A body of the right form whose fields hold anything, decoys among them."""
    account = draw(st.sampled_from(("alice", "bob")))
    body = {"messages": [{"role": "user", "content": "Why?"}], "input": "Why?"}
    body |= draw(st.dictionaries(st.sampled_from(FIELDS), trees, max_size=5))
    text = json.dumps({**body, "model": mark(account)}).encode()
    return [framed(text, account, draw(st.sampled_from(PATHS)), "connection: close\r\n")]


@st.composite
def broken_body(draw: st.DrawFn) -> list[bytes]:
    """A body that is no JSON, too long, too deep, or no UTF-8."""
    depth, size = draw(st.integers(1, 30_000)), draw(st.integers(60_000, 300_000))
    body = draw(
        st.one_of(
            st.binary(max_size=300),
            st.sampled_from((
                b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth, b'{"model":"' + b"x" * size + b'"}',
                b'{"n":NaN,"max_tokens":1e999}', b'{"model":"\xff\xfe\xc0"}', b'{"model":"\\ud800"}', b"9" * 5_000,
                b'{"messages":' + b"[" * depth + b"]" * depth + b"}", b'{"a":1,"a":2}{"b":3}', b"\x00" * 50,
            )),
        )
    )  # fmt: skip
    return [
        framed(body, draw(st.sampled_from(("alice", "bob"))), draw(st.sampled_from(PATHS)), "connection: close\r\n")
    ]


@st.composite
def two_ways(draw: st.DrawFn) -> list[bytes]:
    """A request that could be read in two ways, with another one inside."""
    account = draw(st.sampled_from(("alice", "bob")))
    return [head(account, draw(st.sampled_from(PATHS)), draw(st.sampled_from(CONFLICTS))) + b"\r\n" + hidden(account)]


@st.composite
def odd_chunks(draw: st.DrawFn) -> list[bytes]:
    """A body in chunks that are none."""
    start = head("alice", draw(st.sampled_from(PATHS)), "transfer-encoding: chunked\r\n") + b"\r\n"
    return [start, draw(st.sampled_from(CHUNKS))]


@st.composite
def odd_lines(draw: st.DrawFn) -> list[bytes]:
    """Headers that are none, too many, too long, or there twice."""
    body = json.dumps({"model": mark(), "messages": []}).encode()
    lines = b"".join(draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=3)))
    return [head("alice", draw(st.sampled_from(PATHS))) + lines + b"connection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body) + body]  # fmt: skip


@st.composite
def cut_or_changed(draw: st.DrawFn) -> list[bytes]:
    """A sound request with bytes changed, or cut short, or in pieces that come slowly."""
    text = bytearray(request(mark("bob"), "bob", more="connection: close\r\n"))
    for _ in range(draw(st.integers(0, 4))):
        text[draw(st.integers(0, len(text) - 1))] = draw(st.integers(0, 255))
    text = text[: draw(st.integers(1, len(text)))] if draw(st.booleans()) else text
    step = draw(st.integers(20, len(text) + 20))
    return [bytes(text[at : at + step]) for at in range(0, len(text), step)]


@st.composite
def odd_targets(draw: st.DrawFn) -> list[bytes]:
    """Methods and paths that nobody offers."""
    method = draw(st.sampled_from(("GET", "PUT", "POST", "CONNECT", "TRACE", "PRI", "get", "P\x00ST")))
    path = draw(st.sampled_from((*PATHS, "*", "//v1/messages", "/v1/../admin", "/%00", "http://x/v1/messages",
                                 "/" + "a" * 9_000, "/v1/models/..%2f", "/metrics", "/readyz", "/\xff")))  # fmt: skip
    return [f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode("latin-1")]


anything = st.one_of(
    odd_fields(), broken_body(), two_ways(), odd_chunks(), odd_lines(), cut_or_changed(), odd_targets()
)


@dataclass
class Fuzzed:
    """The gateway under fire, and what was seen of it."""

    address: tuple[str, int]
    pid: int
    echo: Echo
    acknowledged: list[str] = field(default_factory=list)
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}"

    def send(self, texts: list[list[bytes]]) -> list[bytes]:
        """Send all at once, and look at what came back."""
        came = send_all(self.address, texts)
        self.sent += len(texts)
        for pieces, got in zip(texts, came, strict=True):
            statuses = [int(each) for each in STATUS.findall(got)]
            self.statuses.update(statuses)
            assert not [each for each in statuses if each >= 500], (b"".join(pieces)[:400], got[:400])
            own = set(MARK.findall(b"".join(pieces)))
            assert set(MARK.findall(got)) <= own, "an answer holds the words of another request"
            self.acknowledged += [each.decode() for each in MARK.findall(got)]
        return came

    def memory(self) -> int:
        return int(psutil.Process(self.pid).memory_info().rss)


@contextmanager
def gateway(folder: Path) -> Iterator[Fuzzed]:
    echo, port = Echo(), free_port()
    with served(echo) as upstream:
        path = write_config(folder, upstream, MORE)
        process = get_context("spawn").Process(target=serve, args=(path, f"127.0.0.1:{port}"))
        process.start()
        try:
            fuzzed = Fuzzed(("127.0.0.1", port), process.pid or 0, echo)
            wait_until(lambda: _answers(fuzzed), 300)
            yield fuzzed
        finally:
            process.terminate()
            process.join(60)
            assert process.exitcode is not None, "it ends when it is told to"
            process.close()


def _answers(fuzzed: Fuzzed) -> bool:
    try:
        return b"200 OK" in exchange_raw(fuzzed.url, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    except OSError:
        return False


def recorded(folder: Path) -> Counter[tuple[str, str]]:
    """How often each account's exchange is in the exchange log; `model` is its mark."""
    places = Places.of(load_config(folder / "gateway.toml"))
    with Compactor(places.recording, SketchKey.from_secret(places.secret)) as compactor:
        swept = compactor.sweep()
    assert (swept.damaged, swept.torn) == (0, 0)
    rows = [pq.read_table(path, columns=["account_id", "model", "exchange_id"]).to_pylist()
            for path in (places.recording.folder / "waiting").glob("*.parquet")]  # fmt: skip
    every = [row for part in rows for row in part]
    assert len({row["exchange_id"] for row in every}) == len(every)
    return Counter((row["account_id"], row["model"]) for row in every)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # what it says of a long failing case
def test_a_fuzzer_finds_no_crash_no_leak_no_smuggled_request_and_no_exchange_that_is_lost(tmp_path: Path) -> None:
    with gateway(tmp_path) as fuzzed:

        @seed(20261126)
        @settings(max_examples=ROUNDS, deadline=None, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(st.lists(anything, min_size=AT_ONCE, max_size=AT_ONCE))
        def fire(texts: list[list[bytes]]) -> None:
            fuzzed.send(texts)

        echo = fuzzed.echo
        fuzzed.send([[request(mark(), more="connection: close\r\n")]] * 20)
        before = fuzzed.memory()
        fire()
        wait_until(lambda: not echo.open)  # nothing upstream outlives its client
        _interleaved(fuzzed)
        _still_serves(fuzzed)
        assert fuzzed.sent >= 1_000
        assert {200, 400} <= fuzzed.statuses.keys(), fuzzed.statuses
        assert fuzzed.memory() - before < GROWTH
        assert not [each for each in fuzzed.echo.seen if "hidden" in each]
    kept = recorded(tmp_path)
    for each, times in Counter(fuzzed.acknowledged).items():
        account = each.split("-")[1]
        assert kept[account, each] == times, f"{each} was answered {times} times, and kept {kept[account, each]} times"


def _interleaved(fuzzed: Fuzzed) -> None:
    """Two accounts, on two connections and on one, many requests ahead of their answers, in pieces that alternate."""
    mine, other = [mark("alice") for _ in range(20)], [mark("bob") for _ in range(20)]
    texts = [b"".join(request(each, name) for each in marks)
             for name, marks in (("alice", mine), ("bob", other))]  # fmt: skip
    last = [request(mark(name), name, more="connection: close\r\n") for name in ("alice", "bob")]
    pieces = [[text[at : at + 700] for at in range(0, len(text), 700)] for text in texts]
    first, second = fuzzed.send([[*pieces[0], last[0]], [*pieces[1], last[1]]])
    assert [each.decode() for each in MARK.findall(first)][:20] == mine
    assert [each.decode() for each in MARK.findall(second)][:20] == other
    both = [(name, mark(name)) for _ in range(10) for name in ("alice", "bob")]
    (came,) = fuzzed.send([[*(request(each, name) for name, each in both), last[0]]])
    assert [each.decode() for each in MARK.findall(came)][:20] == [each for _, each in both]


def _still_serves(fuzzed: Fuzzed) -> None:
    (came,) = fuzzed.send([[request(mark(), more="connection: close\r\n")]])
    assert b"200 OK" in came
