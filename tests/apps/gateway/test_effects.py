"""What a decision does to a request and its answer: never in silence, and never so that a client breaks."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from stillwatch.actions.decision import ActionKind, Decision, Effect
from stillwatch.apps.gateway.apis.dropping import DroppingStream, drop_from_answer
from stillwatch.apps.gateway.apis.endpoints import CHAT, MESSAGES, RESPONSES, Endpoint
from stillwatch.apps.gateway.apis.lowering import lowered
from stillwatch.apps.gateway.apis.parsing import rewrite
from stillwatch.lab import mock_bodies as bodies
from tests.apps.gateway.running import ALICE, Stack
from tests.apps.gateway.test_relay import ASKED, ask

ALL = frozenset(("reasoning", "logprobs"))
MESSAGE: dict[str, Any] = {"model": "mock", "max_tokens": 4_096, "messages": [{"role": "user", "content": "Why?"}]}
PATHS = {CHAT: "/v1/chat/completions", RESPONSES: "/v1/responses", MESSAGES: "/v1/messages"}


def decide(gateway: Stack, kind: ActionKind, **effect: Any) -> None:
    gateway.parts.decision = Decision(
        kind, Effect(**effect), reason="R7", message="Not so.", appeal="https://x.test/appeal"
    )


def test_a_refusal_says_why_and_where_to_appeal_and_asks_nobody(gateway: Stack) -> None:
    decide(gateway, ActionKind.DENY, refused=True, status=403)
    answer, told = ask(gateway.url)
    error = json.loads(told)["error"]
    assert (answer.status, answer.headers["x-stillwatch-reason"], error["code"]) == (403, "R7", "R7")
    assert (error["appeal"], error["instance"]) == ("https://x.test/appeal", gateway.parts.kept[0][0].exchange_id)
    assert (gateway.parts.outcome().status, gateway.mock.seen.requests) == (403, 0)


def test_a_limit_tells_the_sdk_when_to_come_again(gateway: Stack) -> None:
    decide(gateway, ActionKind.LIMIT, refused=True, status=429, retry_after=7)
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key=ALICE, max_retries=0) as client,
        pytest.raises(anthropic.RateLimitError) as raised,
    ):
        client.messages.create(**MESSAGE)
    assert raised.value.response.headers["retry-after"] == "7"
    assert raised.value.body["error"]["type"] == "rate_limit_error"  # type: ignore[index]


def test_an_altered_answer_says_so_unless_the_policy_opts_out(gateway: Stack) -> None:
    decide(gateway, ActionKind.LOWER_OUTPUT, max_output_tokens=50)
    answer, _ = ask(gateway.url)
    assert (answer.headers["x-stillwatch-altered"], answer.headers["x-stillwatch-reason"]) == (
        "max-output-tokens=50",
        "R7",
    )
    assert json.loads(gateway.mock.seen.last["body"])["max_completion_tokens"] == 50
    decide(gateway, ActionKind.LOWER_OUTPUT, max_output_tokens=50, announce=False)
    assert ask(gateway.url)[0].headers["x-stillwatch-altered"] is None


@pytest.mark.parametrize(
    ("endpoint", "asked", "changed"),
    [
        (CHAT, {}, {"max_completion_tokens": 50}),
        (CHAT, {"max_tokens": 90}, {"max_tokens": 50}),
        (CHAT, {"max_tokens": None, "max_completion_tokens": 90}, {"max_completion_tokens": 50}),
        (CHAT, {"max_completion_tokens": 9}, {}),
        (CHAT, {"max_tokens": "many"}, {}),
        (RESPONSES, {"max_output_tokens": 90}, {"max_output_tokens": 50}),
        (MESSAGES, {"max_tokens": 90}, {"max_tokens": 50}),
        (MESSAGES, {"max_tokens": 9_000, "thinking": {"type": "enabled", "budget_tokens": 5_000}},
         {"max_tokens": 50, "thinking": {"type": "disabled"}}),
    ],
)  # fmt: skip
def test_the_maximum_is_lowered_and_every_other_value_keeps_its_bytes(
    endpoint: Endpoint, asked: dict[str, Any], changed: dict[str, Any]
) -> None:
    body = b'{"messages": [ {"role":"user", "content":"\\u00e9 1.0e5"} ], "x": 1.50, ' + json.dumps(asked).encode()[1:]
    body = body.replace(b", }", b"}")
    held = json.loads(body)
    made = rewrite(body, held, lowered(held, endpoint.name, 50))
    assert json.loads(made) == json.loads(body) | changed
    assert b'[ {"role":"user", "content":"\\u00e9 1.0e5"} ]' in made
    assert b"1.50" in made
    assert changed or made == body


def test_a_budget_for_thinking_stays_below_the_maximum() -> None:
    asked = {"max_tokens": 9_000, "thinking": {"type": "enabled", "budget_tokens": 5_000}}
    assert lowered(asked, "messages", 2_000) == {
        "max_tokens": 2_000,
        "thinking": {"type": "enabled", "budget_tokens": 1_999},
    }


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_are_dropped_so_that_anthropics_client_sees_a_sound_answer(gateway: Stack, stream: bool) -> None:
    decide(gateway, ActionKind.DROP_REASONING, drop=frozenset({"reasoning"}))
    with anthropic.Anthropic(base_url=gateway.url, api_key=ALICE, max_retries=0) as client:
        more: dict[str, Any] = {"extra_headers": {"mock": "thinking,tool"}}
        if stream:
            with client.messages.stream(**MESSAGE, **more) as events:
                answer = events.get_final_message()
            assert events.response.headers["x-stillwatch-altered"] == "dropped=reasoning"
        else:
            answer = client.messages.create(**MESSAGE, **more)  # type: ignore[assignment]
    assert [block.type for block in answer.content] == ["text", "tool_use"]
    assert answer.content[1].input == {"term": "sum"}  # type: ignore[union-attr]
    assert len(gateway.parts.outcome().artefacts_out) == 2, "what was minted is known, though nobody was given it"


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_is_dropped_so_that_openais_client_sees_a_sound_response(gateway: Stack, stream: bool) -> None:
    decide(gateway, ActionKind.DROP_REASONING, drop=ALL)
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=ALICE, max_retries=0) as client:
        more: dict[str, Any] = {"extra_headers": {"mock": "thinking"}}
        if stream:
            with client.responses.stream(model="mock", input="Why?", **more) as events:
                numbers = [event.sequence_number for event in events if hasattr(event, "sequence_number")]
                answer = events.get_final_response()
            assert numbers == sorted(set(numbers))
        else:
            answer = client.responses.create(model="mock", input="Why?", **more)  # type: ignore[assignment]
    assert [item.type for item in answer.output] == ["message"]
    assert answer.output_text


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_and_logprobs_are_dropped_from_a_completion(gateway: Stack, stream: bool) -> None:
    decide(gateway, ActionKind.DROP_LOGPROBS, drop=ALL)
    answer, told = ask(gateway.url, {**ASKED, "stream": stream}, mock="thinking,logprobs")
    assert answer.headers["x-stillwatch-altered"] == "dropped=logprobs, dropped=reasoning"
    assert bodies.THOUGHT.encode() not in told
    assert b'"logprob":' not in told
    assert (b"w4" if stream else bodies.TEXT.encode()) in told
    assert not stream or told.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("endpoint", PATHS, ids=lambda endpoint: endpoint.name)
@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_events_are_rewritten_alike_however_the_stream_is_cut(endpoint: Endpoint, size: int) -> None:
    bodies._count = __import__("itertools").count(1)
    told = {"thinking": "", "events": "6", "logprobs": ""}
    whole = b"".join(bodies.events(PATHS[endpoint], {"model": "mock"}, told))
    at_once = DroppingStream(ALL).feed(whole)
    stream = DroppingStream(ALL)
    assert b"".join(stream.feed(whole[at : at + size]) for at in range(0, len(whole), size)) == at_once
    for secret in (bodies.THOUGHT, bodies.SIGNATURE, bodies.REDACTED, bodies.ENCRYPTED, '"logprob":'):
        assert secret.encode() not in at_once


def test_an_error_that_comes_as_an_answer_is_left_as_it_is() -> None:
    told = {"error": {"message": "x", "code": None}}
    assert json.loads(drop_from_answer(json.dumps(told).encode(), ALL)) == told


def test_an_answer_that_cannot_be_altered_is_not_passed_on(gateway: Stack) -> None:
    decide(gateway, ActionKind.DROP_REASONING, drop=ALL)
    answer, told = ask(gateway.url, mock="gzip")
    assert answer.status == 200
    assert "content-encoding" not in answer.headers
    assert json.loads(told)["choices"][0]["message"]["content"] == bodies.TEXT
