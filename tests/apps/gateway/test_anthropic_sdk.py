"""Anthropic's own client before the gateway: it sees what it would see without."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from stillwatch.lab import mock_bodies as bodies
from tests.apps.gateway.running import ALICE, PROVIDER_KEY, Stack

ASKED: dict[str, Any] = {
    "model": "mock",
    "max_tokens": 2_048,
    "system": "Be exact.",
    "messages": [{"role": "user", "content": "Why?"}],
}


@pytest.fixture
def client(gateway: Stack) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key=ALICE, max_retries=0) as made:
        yield made


def mock(told: str) -> dict[str, Any]:
    return {"extra_headers": {"mock": told}}


def test_a_message_arrives_and_is_kept(client: anthropic.Anthropic, gateway: Stack) -> None:
    answer = client.messages.create(**ASKED)
    assert [block.type for block in answer.content] == ["text"]
    arrival, _, outcome = gateway.parts.kept[0]
    assert (arrival.api, arrival.endpoint, arrival.prompt, arrival.system_prompt) == (
        "anthropic",
        "messages",
        "Why?",
        "Be exact.",
    )
    assert (arrival.max_tokens, outcome.input_tokens, outcome.output_tokens) == (
        2_048,
        bodies.TOKENS_IN,
        bodies.TOKENS_OUT,
    )
    assert gateway.mock.seen.last["headers"]["x-api-key"] == PROVIDER_KEY
    assert "authorization" not in gateway.mock.seen.last["headers"]


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_arrive_and_their_signatures_are_known_again(
    client: anthropic.Anthropic, gateway: Stack, stream: bool
) -> None:
    asked = {**ASKED, "thinking": {"type": "enabled", "budget_tokens": 1_024}, **mock("thinking,tool")}
    if stream:
        with client.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(**asked)  # type: ignore[assignment]
    assert [block.type for block in answer.content] == ["thinking", "redacted_thinking", "text", "tool_use"]
    outcome = gateway.parts.outcome()
    assert len(outcome.artefacts_out) == 2
    assert (outcome.input_tokens, outcome.output_tokens) == (bodies.TOKENS_IN, bodies.TOKENS_OUT)
    said = {"role": "assistant", "content": [block.model_dump() for block in answer.content[:2]]}
    client.messages.create(**{**ASKED, "messages": [*ASKED["messages"], said, {"role": "user", "content": "So?"}]})
    assert gateway.parts.kept[1][0].artefacts_in == outcome.artefacts_out
    assert (gateway.parts.kept[1][0].prompt, gateway.parts.kept[1][0].turns) == ("So?", 3)


def test_a_stream_without_usage_counts_its_pieces(client: anthropic.Anthropic, gateway: Stack) -> None:
    with client.messages.stream(**ASKED, **mock("events=9")) as events:
        assert events.get_final_text() == "".join(f"w{number} " for number in range(9))
    assert gateway.parts.outcome().output_tokens == bodies.TOKENS_OUT


def test_errors_arrive_as_the_upstream_tells_them(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(**ASKED, **mock("status=529"))
    assert raised.value.status_code == 529
    assert raised.value.body["error"]["type"] == "mock_error"  # type: ignore[index]


def test_tokens_are_counted_and_models_listed_by_the_upstream(client: anthropic.Anthropic, gateway: Stack) -> None:
    counted = client.messages.count_tokens(model="mock", messages=ASKED["messages"])
    assert counted.input_tokens == bodies.TOKENS_IN
    assert [model.id for model in client.models.list()] == ["mock"]
    assert client.models.retrieve("m-1").id == "m-1"
    assert [each.endpoint for each in gateway.parts.arrivals] == ["count_tokens", "models", "models"]
    assert gateway.parts.kept == []


def test_the_query_goes_on(client: anthropic.Anthropic, gateway: Stack) -> None:
    client.beta.messages.create(**ASKED, betas=["x-1"], extra_query={"beta": "true"})
    assert (gateway.mock.seen.last["query"], gateway.mock.seen.last["headers"]["anthropic-beta"]) == (
        "beta=true",
        "x-1",
    )


def test_a_wrong_key_is_told_as_the_api_tells_it(gateway: Stack) -> None:
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="nobody", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError) as raised,
    ):
        client.messages.create(**ASKED)
    assert raised.value.body["error"]["type"] == "authentication_error"  # type: ignore[index]


def test_the_async_client_streams(gateway: Stack) -> None:
    async def streamed() -> str:
        async with (
            anthropic.AsyncAnthropic(base_url=gateway.url, api_key=ALICE, max_retries=0) as client,
            client.messages.stream(**ASKED, **mock("events=7,delay=0.001")) as events,
        ):
            return await events.get_final_text()

    assert asyncio.run(streamed()) == "".join(f"w{number} " for number in range(7))
