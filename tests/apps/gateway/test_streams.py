"""What a listener hears in a stream, however the network cuts it."""

from __future__ import annotations

import json

import pytest

from stillwatch.apps.gateway.apis.endpoints import CHAT, MESSAGES, RESPONSES, Endpoint
from stillwatch.apps.gateway.apis.naming import Namer
from stillwatch.apps.gateway.apis.streams import SCAN_BYTES, Listener
from stillwatch.lab import mock_bodies as bodies

NAME = Namer(b"secret")
PATHS = {CHAT: "/v1/chat/completions", RESPONSES: "/v1/responses", MESSAGES: "/v1/messages"}
HANDLES = {CHAT: [], RESPONSES: [bodies.ENCRYPTED, "resp_1"], MESSAGES: [bodies.SIGNATURE, bodies.REDACTED]}


def stream(endpoint: Endpoint, count: int = 6) -> bytes:
    bodies._count = __import__("itertools").count(1)
    asked = {"model": "mock", "stream_options": {"include_usage": True}}
    return b"".join(bodies.events(PATHS[endpoint], asked, {"thinking": "", "events": str(count)}))


@pytest.mark.parametrize("size", [1, 13, 1_000, 1_000_000])
@pytest.mark.parametrize("endpoint", PATHS, ids=lambda endpoint: endpoint.name)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_tokens_handles_and_words_are_heard(endpoint: Endpoint, size: int, newline: bytes) -> None:
    told = stream(endpoint).replace(b"\n", newline)
    listener = Listener(endpoint, NAME, keep_text=True)
    ended = [listener.feed(told[at : at + size]) for at in range(0, len(told), size)]
    assert listener.tokens() == (bodies.TOKENS_IN, bodies.TOKENS_OUT)
    assert set(listener.artefacts) == {NAME(each) for each in HANDLES[endpoint]}
    assert listener.words() == "".join(f"w{number} " for number in range(6))
    assert any(ended) or size < 30, "the last event is noticed where it is in one piece"


@pytest.mark.parametrize("endpoint", PATHS, ids=lambda endpoint: endpoint.name)
def test_a_long_stream_is_heard_to_its_end_and_not_held(endpoint: Endpoint) -> None:
    told = stream(endpoint, count=3_000)
    listener, most = Listener(endpoint, NAME), 0
    for at in range(0, len(told), 500):
        listener.feed(told[at : at + 500])
        most = max(most, listener._size)
    assert len(told) > 3 * SCAN_BYTES
    assert most <= SCAN_BYTES + 500
    assert listener.tokens() == (bodies.TOKENS_IN, bodies.TOKENS_OUT)
    assert len(listener.artefacts) == len(HANDLES[endpoint])


def test_what_a_model_says_does_not_end_a_stream_nor_count_as_usage() -> None:
    said = 'data: [DONE]\n\nevent: message_stop "usage":{"output_tokens":9999}'
    delta = {"choices": [{"index": 0, "delta": {"content": said}}]}
    listener = Listener(CHAT, NAME)
    assert not listener.feed(b"data: " + json.dumps(delta).encode() + b"\n\n")
    assert listener.tokens() == (None, None)


def test_pieces_are_counted_where_no_usage_is_told() -> None:
    bodies._count = __import__("itertools").count(1)
    for endpoint in PATHS:
        told = b"".join(bodies.events(PATHS[endpoint], {}, {"events": "30", "no-usage": ""}))
        listener = Listener(endpoint, NAME)
        listener.feed(told if endpoint is not RESPONSES else told.partition(b"event: response.completed")[0])
        # a message begins by naming its tokens in, and one token out
        assert listener.tokens()[1] == {CHAT: 30, RESPONSES: 30, MESSAGES: 1}[endpoint]


def test_nothing_is_made_of_what_is_no_event() -> None:
    for endpoint in PATHS:
        listener = Listener(endpoint, NAME, keep_text=True)
        for piece in (b"", b"\x00\xff", b'data: {"usage": {', b'data: "usage":{}\n\n', b"data: [1]\n\ndata: 5\n\n" * 3):
            listener.feed(piece)
        assert (listener.artefacts, listener.tokens()[0], listener.words()) == ((), None, None)


def test_a_handle_has_the_same_name_in_this_deployment_and_another_in_any_other() -> None:
    assert NAME("handle") == Namer(b"secret")("handle") != Namer(b"another")("handle")
    assert len(NAME("handle")) == 32
