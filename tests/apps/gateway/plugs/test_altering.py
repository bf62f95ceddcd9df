"""What a decision changes, and what an answer says about how the exchange ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stillwatch.actions.decision import ALLOWED, ActionKind, Decision, Effect
from stillwatch.actions.refusal import headers
from stillwatch.apps.gateway.apis.altering import Events
from stillwatch.apps.gateway.apis.dropping import Dropping, DroppingStream, drop_from_answer
from stillwatch.apps.gateway.apis.lowering import lowered
from stillwatch.apps.gateway.apis.reading import outcome_of
from tests.apps.gateway.plugs.serving import THOUGHT, answer, events
from tests.apps.gateway.plugs.table import CHAT, MESSAGES, NAMES, RESPONSES

REASONING = frozenset({"reasoning"})
PATHS = (CHAT, MESSAGES, RESPONSES)


@pytest.mark.parametrize(
    ("endpoint", "asked", "changed"),
    [
        ("chat.completions", {"max_tokens": 9, "max_completion_tokens": 500}, {"max_completion_tokens": 50}),
        ("responses", {"max_output_tokens": None}, {"max_output_tokens": 50}),
        ("messages", {"max_tokens": 9}, {}),
        ("embeddings", {}, {}),
    ],
)  # fmt: skip
def test_less_output_is_asked_for(endpoint: str, asked: dict[str, Any], changed: dict[str, Any]) -> None:
    assert lowered(asked, endpoint, 50) == changed


@pytest.mark.parametrize("path", PATHS)
def test_reasoning_is_left_out_of_a_body_and_nothing_else(path: str) -> None:
    whole = answer(path, {"model": "small"})
    made = drop_from_answer(json.dumps(whole).encode(), REASONING)
    assert THOUGHT.encode() not in made
    assert b"SIG-1" not in made
    assert b"A bay." in made
    assert json.loads(made)["usage"] == whole["usage"]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("path", PATHS)
def test_reasoning_is_left_out_of_a_stream_however_it_is_cut(path: str, size: int) -> None:
    whole = "".join(events(path, "small")).encode()
    passing = DroppingStream(REASONING)
    made = b"".join(passing.feed(whole[at : at + size]) for at in range(0, len(whole), size)) + passing.rest()
    assert THOUGHT.encode() not in made
    assert b"SIG-1" not in made
    assert b"ENC-1" not in made
    assert b"bay." in made
    told = [json.loads(line[6:]) for line in made.splitlines() if line.startswith(b"data: {")]
    if path == MESSAGES:
        assert {each["index"] for each in told if "index" in each} == {0}
    if path == RESPONSES:
        assert {each["output_index"] for each in told if "output_index" in each} == {0}
        assert [each["sequence_number"] for each in told] == list(range(len(told)))


def test_a_stream_of_which_nothing_is_dropped_keeps_its_bytes() -> None:
    whole = "".join(events(CHAT, "small")).encode()
    passing = DroppingStream(frozenset({"logprobs"}))
    assert passing.feed(whole) + passing.rest() == whole


@pytest.mark.parametrize(
    ("last", "passes"),
    [(b"data: [DONE]", True), (b'data: {"choices": [{"delta": {"reasoning": "sec', False),
     (b'data: {"choices": [{"delta": {"reasoning": "secret"}}]}', False)],
    ids=["the end", "half an event", "an event without its empty line"],
)  # fmt: skip
def test_what_a_stream_ends_with_is_no_way_out_for_a_thought(last: bytes, passes: bool) -> None:
    passing = DroppingStream(REASONING)
    made = passing.feed(last) + passing.rest()
    assert b"sec" not in made
    assert (made == last) == passes


def test_half_a_surrogate_pair_in_an_answer_stays_as_it_came() -> None:
    event = b'data: {"choices":[{"delta":{"content":"\\ud83d","reasoning":"secret"}}]}\n\n'
    assert DroppingStream(REASONING).feed(event) == event.replace(b',"reasoning":"secret"', b"")


def test_events_may_be_objects_of_a_library() -> None:
    class Event:
        def __init__(self, **values: Any) -> None:
            self.__dict__ |= values

    edit = Events((Dropping(REASONING),))
    assert edit(Event(type="response.output_item.added", output_index=0, item=Event(type="reasoning"))) == []
    (kept,) = edit(Event(type="response.output_item.added", output_index=1, item=Event(type="message")))
    assert kept.output_index == 0


def test_a_thought_in_the_field_of_other_servers_is_left_out_of_a_delta() -> None:
    event = b'data: {"choices": [{"index": 0, "delta": {"reasoning": "secret"}}]}\n\n'
    assert b"secret" not in DroppingStream(REASONING).feed(event)


def test_a_response_keeps_the_setting_that_is_called_reasoning() -> None:
    made = drop_from_answer(b'{"object": "response", "reasoning": {"effort": "low"}, "output": []}', REASONING)
    assert json.loads(made)["reasoning"] == {"effort": "low"}


def test_logprobs_are_left_out() -> None:
    whole = {"choices": [{"message": {"content": "a"}, "logprobs": {"content": [{"token": "a", "logprob": -1.0}]}}]}
    made = json.loads(drop_from_answer(json.dumps(whole).encode(), frozenset({"logprobs"})))
    assert made["choices"][0] == {"message": {"content": "a"}, "logprobs": None}


@pytest.mark.parametrize("path", PATHS)
def test_a_body_tells_how_the_exchange_ended(path: str) -> None:
    outcome = outcome_of(200, answer(path, {"model": "small"}), NAMES.handle)
    assert (outcome.status, outcome.input_tokens, outcome.output_tokens, outcome.response) == (200, 9, 4, "A bay.")
    minted = {CHAT: (), MESSAGES: ("SIG-1",), RESPONSES: ("ENC-1", "resp_1")}[path]
    assert outcome.artefacts_out == tuple(NAMES.handle(each) for each in minted)


@pytest.mark.parametrize("body", [None, [1], {"usage": 7, "choices": "x"}, {"usage": {"input_tokens": -1}}])
def test_an_answer_of_another_shape_ends_with_its_status_alone(body: Any) -> None:
    outcome = outcome_of(200, body, NAMES.handle, keep_text=False)
    assert (outcome.status, outcome.input_tokens, outcome.artefacts_out, outcome.response) == (200, None, (), None)


def test_the_header_says_what_was_altered_unless_the_policy_is_silent() -> None:
    effect = Effect(max_output_tokens=50, drop=REASONING)
    told = headers(Decision(ActionKind.LOWER_OUTPUT, effect, reason="new"))
    assert told == {"x-stillwatch-altered": "dropped=reasoning, max-output-tokens=50", "x-stillwatch-reason": "new"}
    assert headers(Decision(ActionKind.DROP_REASONING, Effect(drop=REASONING, announce=False))) == {}
    assert headers(ALLOWED) == {}
