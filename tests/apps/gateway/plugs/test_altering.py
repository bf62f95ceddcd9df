"""What a decision changes, and what an answer says about how the exchange ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stillwatch.actions.decision import ALLOWED, ActionKind, Decision, Effect
from stillwatch.apps.gateway.plugs.altering import EventFilter, altered_answer, altered_request
from stillwatch.apps.gateway.plugs.answers import answer_of
from stillwatch.apps.gateway.plugs.refusing import altered
from stillwatch.ingest.adapters.base import hash_handle
from tests.apps.gateway.plugs.serving import THOUGHT, answer, events
from tests.apps.gateway.plugs.table import CHAT, MESSAGES, RESPONSES

REASONING = frozenset({"reasoning"})
PATHS = (CHAT, MESSAGES, RESPONSES)


@pytest.mark.parametrize(
    ("endpoint", "asked", "lowered"),
    [
        ("chat.completions", {"max_tokens": 500}, {"max_tokens": 50}),
        ("chat.completions", {"max_tokens": 9, "max_completion_tokens": 500},
         {"max_tokens": 9, "max_completion_tokens": 50}),
        ("chat.completions", {}, {"max_completion_tokens": 50}),
        ("messages", {"max_tokens": 500}, {"max_tokens": 50}),
        ("responses", {"max_output_tokens": None}, {"max_output_tokens": 50}),
    ],
)  # fmt: skip
def test_less_output_is_asked_for(endpoint: str, asked: dict[str, Any], lowered: dict[str, Any]) -> None:
    assert (
        json.loads(altered_request(json.dumps({"a": 1} | asked).encode(), endpoint, Effect(max_output_tokens=50)))
        == {"a": 1} | lowered
    )


@pytest.mark.parametrize("body", [b'{"max_tokens":  9}', b"no json"])
def test_a_request_that_asks_for_little_keeps_its_bytes(body: bytes) -> None:
    assert altered_request(body, "messages", Effect(max_output_tokens=50)) == body


@pytest.mark.parametrize("path", PATHS)
def test_reasoning_is_left_out_of_a_body_and_nothing_else(path: str) -> None:
    whole = answer(path, {"model": "small"})
    made = altered_answer(json.dumps(whole).encode(), REASONING)
    assert THOUGHT.encode() not in made
    assert b"SIG-1" not in made
    assert b"A bay." in made
    assert json.loads(made)["usage"] == whole["usage"]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("path", PATHS)
def test_reasoning_is_left_out_of_a_stream_however_it_is_cut(path: str, size: int) -> None:
    whole = "".join(events(path, "small")).encode()
    passing = EventFilter(REASONING)
    made = b"".join(passing.feed(whole[at : at + size]) for at in range(0, len(whole), size)) + passing.rest()
    assert THOUGHT.encode() not in made
    assert b"SIG-1" not in made
    assert b"ENC-1" not in made
    assert b"bay." in made
    if path == MESSAGES:
        blocks = [json.loads(line[6:]) for line in made.splitlines() if line.startswith(b"data: ")]
        assert {each["index"] for each in blocks if "index" in each} == {0}
    if path == RESPONSES:
        held = [json.loads(line[6:]) for line in made.splitlines() if line.startswith(b"data: ")]
        assert {each["output_index"] for each in held if "output_index" in each} == {0}


def test_a_stream_of_which_nothing_is_dropped_keeps_its_bytes() -> None:
    whole = "".join(events(CHAT, "small")).encode()
    for drop in (frozenset[str](), frozenset({"logprobs"})):
        passing = EventFilter(drop)
        assert passing.feed(whole) + passing.rest() == whole


def test_a_thought_in_the_field_of_other_servers_is_left_out_of_a_delta() -> None:
    event = b'data: {"choices": [{"index": 0, "delta": {"reasoning": "secret"}}]}\n\n'
    assert b"secret" not in EventFilter(REASONING).feed(event)


def test_a_response_keeps_the_setting_that_is_called_reasoning() -> None:
    made = altered_answer(b'{"object": "response", "reasoning": {"effort": "low"}, "output": []}', REASONING)
    assert json.loads(made)["reasoning"] == {"effort": "low"}


def test_logprobs_are_left_out() -> None:
    whole = {"choices": [{"message": {"content": "a"}, "logprobs": {"content": [{"token": "a", "logprob": -1.0}]}}]}
    made = json.loads(altered_answer(json.dumps(whole).encode(), frozenset({"logprobs"})))
    assert made["choices"][0] == {"message": {"content": "a"}, "logprobs": None}


@pytest.mark.parametrize("size", [1, 50, 10_000])
@pytest.mark.parametrize("path", PATHS)
def test_a_stream_tells_how_the_exchange_ended(path: str, size: int) -> None:
    whole, reader = "".join(events(path, "small")).encode(), answer_of("text/event-stream; charset=utf-8")
    for at in range(0, len(whole), size):
        reader.feed(whole[at : at + size])
    outcome = reader.outcome(200)
    assert (outcome.status, outcome.input_tokens, outcome.output_tokens, outcome.response) == (200, 9, 4, "A bay.")
    minted = {CHAT: (), MESSAGES: ("SIG-1",), RESPONSES: ("ENC-1", "resp_1")}[path]
    assert outcome.artefacts_out == tuple(hash_handle(each) for each in minted)


@pytest.mark.parametrize("path", PATHS)
def test_a_body_tells_the_same_as_a_stream(path: str) -> None:
    body, stream = answer_of("application/json"), answer_of("text/event-stream")
    body.feed(json.dumps(answer(path, {"model": "small"})).encode())
    stream.feed("".join(events(path, "small")).encode())
    assert body.outcome(200) == stream.outcome(200)


def test_an_answer_of_another_shape_ends_with_its_status_alone() -> None:
    reader = answer_of("application/json")
    reader.feed(b"<html>Bad gateway</html>")
    assert reader.outcome(502).status == 502


def test_the_header_says_what_was_altered_unless_the_policy_is_silent() -> None:
    effect = Effect(max_output_tokens=50, drop=REASONING)
    told = altered(Decision(ActionKind.LOWER_OUTPUT, effect, reason="new"))
    assert told == {"stillwatch-altered": "drop-reasoning, lower-output=50", "stillwatch-reason": "new"}
    assert altered(Decision(ActionKind.DROP_REASONING, Effect(drop=REASONING, announce=False))) == {}
    assert altered(ALLOWED) == {}
