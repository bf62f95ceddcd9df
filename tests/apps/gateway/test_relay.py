"""What the relay keeps and what it ends: bytes, headers, broken answers, clients that leave."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.exchange import CLIENT_LEFT
from stillwatch.lab import mock_bodies as bodies
from tests.apps.gateway.running import ALICE, PROVIDER_KEY, Stack, exchange_raw, served, stack, wait_until

CHAT = "/v1/chat/completions"
ASKED = {"model": "mock", "messages": [{"role": "user", "content": "Why?"}]}
HEADERS = {"authorization": f"Bearer {ALICE}", "content-type": "application/json"}
SHORT = """
[timeouts]
connect = 0.5
first_byte = 0.4
idle = 0.4
"""


def ask(url: str, body: object = ASKED, path: str = CHAT, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """Ask as plainly as can be; the body of the answer is as it came."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        told = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, told, HEADERS | headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def begun(stack: Stack, mock: str) -> socket.socket:
    """A stream that has begun, on a connection of its own."""
    host, port = stack.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    body = json.dumps({**ASKED, "stream": True})
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ALICE}\r\nmock: {mock}\r\n"
    connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
    assert b"200 OK" in connection.recv(4_096)
    return connection


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    more=st.dictionaries(st.text("abcxyz_", min_size=1, max_size=8), st.floats(allow_infinity=False, allow_nan=False)),
    behaviour=st.sampled_from(["", "tool", "thinking,logprobs", "no-usage", "events=40", "status=400", "status=503"]),
    stream=st.booleans(),
    path=st.sampled_from([CHAT, "/v1/messages", "/v1/responses"]),
    spaced=st.booleans(),
)  # fmt: skip
def test_without_an_effect_every_byte_is_passed_on(
    gateway: Stack, content: str, more: dict[str, object], behaviour: str, stream: bool, path: str, spaced: bool
) -> None:
    body = {
        **more,
        "model": "mock",
        "messages": [{"role": "user", "content": content}],
        "input": content,
        "stream": stream,
    }
    told = json.dumps(body, indent=2 if spaced else None, ensure_ascii=spaced).encode()
    number = next(bodies._count)
    straight = _counting_from(number, gateway.upstream_url, told, path, behaviour)
    through = _counting_from(number, gateway.url, told, path, behaviour)
    assert through == straight
    assert gateway.mock.seen.last["body"] == told.decode()


def _counting_from(number: int, url: str, told: bytes, path: str, behaviour: str) -> tuple[int, str | None, bytes]:
    bodies._count = __import__("itertools").count(number)  # so that both answers have one id
    answer, body = ask(url, told, path, mock=behaviour)
    return answer.status, answer.headers["content-type"], body


def test_headers_are_passed_on_both_ways_and_those_of_the_connection_are_not(gateway: Stack) -> None:
    own = "ü".encode().decode("latin-1")  # http.client sends Latin-1, so these are the bytes of UTF-8
    hop = {"connection": "x-hop, keep-alive", "x-hop": "1", "te": "trailers", "x-forwarded-for": "6.6.6.6"}
    answer, _ = ask(gateway.url, **{"x-own": own, "openai-beta": "v2", **hop})
    sent = gateway.mock.seen.last["headers"]
    assert (sent["openai-beta"], answer.headers["x-request-id"]) == ("v2", "req_mock")
    assert sent["x-own"].encode("latin-1").decode() == "ü"
    assert not {"x-hop", "te", "x-forwarded-for"} & set(sent)
    assert sent["host"] == gateway.upstream_url.removeprefix("http://")
    assert "transfer-encoding" not in answer.headers


def test_an_upstream_that_compresses_all_the_same_is_passed_on_and_read(gateway: Stack) -> None:
    answer, body = ask(gateway.url, mock="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert body[:2] == b"\x1f\x8b"
    assert gateway.parts.outcome().output_tokens == bodies.TOKENS_OUT


def test_the_exchange_is_kept_before_the_client_has_the_end_of_its_answer(gateway: Stack) -> None:
    for stream in (False, True):
        ask(gateway.url, {**ASKED, "stream": stream})
        assert len(gateway.parts.kept) == 1 + stream, "no waiting: it is there when the answer is"


def test_what_cannot_be_kept_is_not_answered(gateway: Stack) -> None:
    gateway.parts.fails = True
    answer, body = ask(gateway.url)
    assert (answer.status, json.loads(body)["error"]["code"]) == (503, "recording_failed")
    with pytest.raises(http.client.IncompleteRead):
        ask(gateway.url, {**ASKED, "stream": True}, mock="delay=0.01")


def test_an_abandoned_stream_is_cancelled_upstream_ten_times_of_ten(gateway: Stack) -> None:
    left = []
    for _ in range(10):
        connection = begun(gateway, "events=200,delay=0.05")
        connection.close()
        left.append(time.monotonic())
    wait_until(lambda: gateway.mock.seen.abandoned == 10)
    assert gateway.mock.seen.finished == 0
    wait_until(lambda: len(gateway.parts.kept) == 10)
    assert all(passage.left for _, _, passage in gateway.parts.seen)


def test_an_abandoned_stream_is_cancelled_under_any_server(gateway: Stack) -> None:
    app = Gateway(gateway.gateway.config, gateway.gateway.parts)
    with served(app) as url:
        connection = begun(replace(gateway, url=url), "events=200,delay=0.05")
        connection.close()
        wait_until(lambda: gateway.mock.seen.abandoned == 1)


def test_a_client_that_leaves_before_the_answer_begins_is_noticed(gateway: Stack) -> None:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"))
    connection.request("POST", CHAT, json.dumps(ASKED).encode(), HEADERS | {"mock": "silent"})
    wait_until(lambda: gateway.mock.seen.requests == 1)
    connection.close()
    wait_until(lambda: gateway.mock.seen.abandoned == 1)
    assert gateway.parts.outcome().status == CLIENT_LEFT


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_breaks_off_upstream_is_never_whole_for_the_client(gateway: Stack, stream: bool) -> None:
    mock = "truncate,events=20"
    if stream:
        with pytest.raises(http.client.IncompleteRead):
            ask(gateway.url, {**ASKED, "stream": True}, mock=mock)
        assert gateway.parts.outcome().status == 200
    else:
        answer, body = ask(gateway.url, mock=mock)
        assert (answer.status, json.loads(body)["error"]["code"]) == (502, "upstream_broken")
        assert gateway.parts.outcome().status == 502


def test_a_pipelined_request_is_cancelled_too(gateway: Stack) -> None:
    connection = begun(gateway, "events=200,delay=0.05")
    connection.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
    connection.close()
    wait_until(lambda: gateway.mock.seen.abandoned == 1)


def test_timeouts_are_told_as_each_api_tells_errors(tmp_path: Path) -> None:
    with stack(tmp_path, SHORT) as slow:
        answer, body = ask(slow.url, mock="silent")
        assert (answer.status, json.loads(body)["error"]["code"]) == (504, "upstream_timeout")
        answer, body = ask(slow.url, {**ASKED, "max_tokens": 1}, "/v1/messages", mock="silent")
        assert (answer.status, json.loads(body)["error"]["type"]) == (504, "timeout_error")
        with pytest.raises(http.client.IncompleteRead):
            ask(slow.url, {**ASKED, "stream": True}, mock="delay=2")
        assert [outcome.status for _, _, outcome in slow.parts.kept] == [504, 504, 200]


def test_an_upstream_that_is_not_there_is_told(tmp_path: Path) -> None:
    with stack(tmp_path, change=lambda c: c.model_copy(update={"upstreams": tuple(
        each.model_copy(update={"url": "http://127.0.0.1:9"}) for each in c.upstreams)})) as lost:  # fmt: skip
        answer, body = ask(lost.url)
    assert (answer.status, json.loads(body)["error"]["code"]) == (502, "upstream_unreachable")


def test_a_key_of_the_gateways_that_the_upstream_refuses_is_no_fault_of_the_clients(gateway: Stack) -> None:
    answer, body = ask(gateway.url, mock="status=401")
    assert (answer.status, json.loads(body)["error"]["code"]) == (502, "upstream_refused_gateway")


def test_clients_that_read_nothing_slow_the_upstream_down_and_take_little_memory(gateway: Stack) -> None:
    before = psutil.Process().memory_info().rss
    stalled = [begun(gateway, "flood") for _ in range(4)]
    seen = gateway.mock.seen
    taken = [-1]

    def stands_still() -> bool:
        taken.append(seen.flooded)
        time.sleep(0.3)
        return taken[-1] == taken[-2]

    wait_until(stands_still)
    grown = psutil.Process().memory_info().rss - before
    for each in stalled:
        each.close()
    wait_until(lambda: seen.abandoned == 4)
    assert grown < 64_000_000, "the rest of what was taken lies in the buffers of the kernel"


def test_requests_go_by_api_and_model_and_each_upstream_gets_its_own_key(tmp_path: Path) -> None:
    from stillwatch.lab.mock_upstream import MockUpstream

    other = MockUpstream()
    (tmp_path / "other").write_text("sk-other")
    with served(other) as url:
        first = f"""
[[upstreams]]
name = "other"
url = "{url}/v1"
apis = ["openai"]
models = ["big-*"]
key = {{ file = "other" }}
"""
        with stack(tmp_path, first, 'models = ["mock"]\nkey = { file = "provider" }\nchannel = "bedrock"') as two:
            ask(two.url, {**ASKED, "model": "big-1"})
            ask(two.url)
            ask(two.url, path="/v1/messages")
            answer, _ = ask(two.url, {**ASKED, "model": "unknown"})
            assert (other.seen.requests, two.mock.seen.requests, answer.status) == (1, 2, 404)
            assert other.seen.last["headers"]["authorization"] == "Bearer sk-other"
            assert [arrival.channel for arrival, _, _ in two.parts.kept] == [None, "bedrock", "bedrock"]
            assert [passage.upstream for _, _, passage in two.parts.seen] == ["other", "main", "main"]


def test_words_are_kept_when_that_is_configured(tmp_path: Path) -> None:
    with stack(tmp_path, '[recording]\ntext = "keep"\n') as keeping:
        for path in (CHAT, "/v1/messages", "/v1/responses"):
            for stream in (False, True):
                ask(keeping.url, {**ASKED, "stream": stream, "input": "x"}, path, mock="events=3")
        texts = [outcome.response for _, _, outcome in keeping.parts.kept]
    assert texts == [bodies.TEXT, "w0 w1 w2 "] * 3


def test_no_key_and_no_prompt_stands_in_a_log(gateway: Stack, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        secret = {**ASKED, "messages": [{"role": "user", "content": "a secret prompt"}]}
        for mock in ("", "status=401", "truncate", "status=500"):
            ask(gateway.url, secret, mock=mock)
        ask(gateway.url, secret, authorization="Bearer sk-sw-stranger")
        exchange_raw(
            gateway.url, b"POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer sk-sw-broken\r\n\x00\r\n\r\n"
        )
    told = " ".join(
        str(record.__dict__) for record in caplog.records if record.name.startswith(("stillwatch", "uvicorn"))
    )
    assert told, "something was said"
    for secret_text in (ALICE, PROVIDER_KEY, "sk-sw-stranger", "sk-sw-broken", "a secret prompt", bodies.TEXT):
        assert secret_text not in told
