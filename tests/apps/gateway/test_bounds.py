"""What the gateway refuses before it asks anybody: too long, too slow, malformed, ambiguous."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.apps.gateway.running import ALICE, Stack, exchange_raw, stack, wait_until
from tests.apps.gateway.test_relay import ASKED, CHAT, ask

HEAD = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ALICE}\r\n".encode()
BODY = json.dumps(ASKED).encode()
SMALL = "[limits]\nrequest_bytes = 2048\nheader_bytes = 2048\n[timeouts]\nrequest = 0.5\n"

SMUGGLED = {
    "both lengths": b"content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET",
    "two lengths": b"content-length: 5\r\ncontent-length: 6\r\n\r\n{}    ",
    "a length in words": b"content-length: +5\r\n\r\n{}   ",
    "chunked not last": b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "a bare line feed": b"content-length: 2\nx: y\r\n\r\n{}",
    "a negative length of a chunk": b"transfer-encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a folded header": b"x: a\r\n content-length: 99\r\ncontent-length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("text", SMUGGLED.values(), ids=SMUGGLED)
def test_a_request_that_could_be_read_in_two_ways_is_refused(gateway: Stack, text: bytes) -> None:
    got = exchange_raw(gateway.url, HEAD + text + b"\r\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert got.startswith((b"HTTP/1.1 4", b"")), got
    assert b"200 OK" not in got, "nothing of it was taken for a second request"
    assert gateway.mock.seen.requests == 0


def test_a_header_that_decides_may_be_there_once(gateway: Stack) -> None:
    got = exchange_raw(gateway.url, HEAD + b"authorization: Bearer sk-sw-bob\r\ncontent-length: 2\r\n\r\n{}")
    assert b"400 Bad Request" in got
    assert b"repeated_header" in got


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"{}" + b"x", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'{"model": NaN}',
     b'{"model": "\xff\xfe"}'],
    ids=["nothing", "half", "a list", "a text", "more than one", "no UTF-8", "deep lists", "deep objects", "NaN",
         "no UTF-8 in a text"],
)  # fmt: skip
def test_what_is_no_json_object_is_refused_in_the_apis_own_shape(gateway: Stack, body: bytes) -> None:
    answer, told = ask(gateway.url, body)
    assert (answer.status, json.loads(told)["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": 5}, {"messages": {"role": 1}}, {"messages": [None, 3, {"role": "user", "content": {"x": []}}]},
        {"max_tokens": "many", "temperature": "hot", "n": -1, "stream": "yes"}, {"max_tokens": 10**400, "n": 2**63},
        {"tools": [1, {"function": 5}, {"function": {"name": {}}}]}, {"model": ["a"]}, {"thinking": 5},
        {"system": [[[]]]}, {"temperature": 1e999}, {"temperature": 10**400},
    ],
)  # fmt: skip
def test_fields_of_a_wrong_kind_are_left_to_the_upstream(gateway: Stack, fields: dict[str, object]) -> None:
    text = json.dumps({**ASKED, **fields}).replace("Infinity", "1e999").encode()
    answer, _ = ask(gateway.url, text)
    assert answer.status in (200, 400)
    for arrival in gateway.parts.arrivals:
        assert isinstance(arrival.model, str)
        assert arrival.max_tokens is None or 0 <= arrival.max_tokens < 2**31
        assert arrival.n is None or 0 <= arrival.n < 2**31


def test_a_lone_surrogate_is_read_and_passed_on(gateway: Stack) -> None:
    body = b'{"model":"mock","messages":[{"role":"user","content":"cut \\ud83d"}]}'
    answer, _ = ask(gateway.url, body)
    assert (answer.status, gateway.parts.arrivals[0].prompt) == (200, "cut ?")
    assert gateway.mock.seen.last["body"].encode() == body


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity"])
def test_an_encoded_body_is_refused(gateway: Stack, encoding: str) -> None:
    answer, told = ask(gateway.url, b"\x1f\x8b", **{"content-encoding": encoding})
    assert (answer.status, json.loads(told)["error"]["code"]) == (415, "encoded_body")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405), ("POST", "/v1/models", 405), ("GET", "/", 404), ("POST", "/v1/completions", 404),
        ("POST", "//v1/chat/completions", 404), ("POST", "/v1/chat/completions/", 404),
        ("GET", "/v1/models/../files", 404),
        ("GET", "/v1/models/%2e%2e/files", 404), ("GET", "/v1/files", 404), ("POST", "/v1/fine_tuning/jobs", 404),
    ],
)  # fmt: skip
def test_what_is_not_on_the_list_is_not_relayed(gateway: Stack, method: str, path: str, status: int) -> None:
    head = f"host: x\r\nauthorization: Bearer {ALICE}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    got = exchange_raw(gateway.url, f"{method} {path} HTTP/1.1\r\n{head}".encode())
    assert got.startswith(f"HTTP/1.1 {status} ".encode())
    assert gateway.mock.seen.requests == 0


def test_what_is_too_long_or_too_slow_is_refused(tmp_path: Path) -> None:
    with stack(tmp_path, SMALL) as small:
        answer, told = ask(small.url, {**ASKED, "more": "x" * 4_000})
        assert (answer.status, json.loads(told)["error"]["code"]) == (413, "request_too_large")
        got = exchange_raw(small.url, HEAD + b"content-length: 999999999999\r\nexpect: 100-continue\r\n\r\n")
        assert b" 413 " in got
        assert b"100 Continue" not in got
        chunk = b"400\r\n" + b"x" * 0x400 + b"\r\n"
        got = exchange_raw(small.url, HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk * 20)
        assert b" 413 " in got
        assert b" 431 " in exchange_raw(small.url, HEAD + b"x: " + b"y" * 4_000)
        assert b" 431 " in exchange_raw(small.url, HEAD + b"x: y\r\n" * 200 + b"\r\n")
        assert b" 408 " in exchange_raw(small.url, HEAD)
        assert b" 408 " in exchange_raw(small.url, b"")
        assert exchange_raw(small.url, HEAD + b"content-length: 500\r\n\r\n{") == b"", "half a body, and then silence"
        assert small.mock.seen.requests == 0
        answer, _ = ask(small.url)
        assert answer.status == 200


def test_too_many_at_a_time_are_asked_to_come_again(tmp_path: Path) -> None:
    from tests.apps.gateway.test_relay import begun

    with stack(tmp_path, "[limits]\nin_flight = 1\n") as narrow:
        first = begun(narrow, "events=100,delay=0.05")
        answer, told = ask(narrow.url)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert json.loads(told)["error"]["code"] == "overloaded"
        first.close()
        wait_until(lambda: narrow.mock.seen.abandoned == 1)
        wait_until(lambda: ask(narrow.url)[0].status == 200)


def test_health_and_readiness_need_no_key_and_tell_no_secret(tmp_path: Path) -> None:
    wrong = {"disk": ""}
    with stack(tmp_path, checks={"disk": lambda: wrong["disk"], "odd": lambda: ""}) as checked:
        for path in ("/healthz", "/readyz"):
            assert b"200 OK" in exchange_raw(checked.url, f"GET {path} HTTP/1.0\r\n\r\n".encode())
        wrong["disk"] = "full"
        got = exchange_raw(checked.url, b"GET /readyz HTTP/1.0\r\n\r\n")
        assert b"503" in got
        assert b'"disk":"full"' in got
        assert b"200 OK" in exchange_raw(checked.url, b"GET /healthz HTTP/1.0\r\n\r\n")
        checked.gateway.draining = True
        assert b"draining" in exchange_raw(checked.url, b"GET /readyz HTTP/1.0\r\n\r\n")


def test_a_broken_policy_file_leaves_the_old_one_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from stillwatch.apps.gateway.parts import Watched

    versions, loaded = [1], []

    def load() -> None:
        if versions[0] == 2:
            raise ValueError("policy.yaml:3: no such attribute")
        loaded.append(versions[0])

    with stack(tmp_path, watched=(Watched("policy", lambda: versions[0], load),)):
        versions[0] = 2
        wait_until(lambda: "reload-failed" in caplog.text)
        versions[0] = 3
        wait_until(lambda: loaded == [3])
