"""OpenAI's own client before the gateway: it sees what it would see without."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from stillwatch.lab import mock_bodies as bodies
from tests.apps.gateway.running import ALICE, PROVIDER_KEY, Stack

ASKED: dict[str, Any] = {
    "model": "mock",
    "messages": [{"role": "system", "content": "Be exact."}, {"role": "user", "content": "Why?"}],
}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


@pytest.fixture
def client(gateway: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=ALICE, max_retries=0) as made:
        yield made


def mock(told: str) -> dict[str, Any]:
    return {"extra_headers": {"mock": told}}


def test_a_completion_arrives_and_is_kept(client: openai.OpenAI, gateway: Stack) -> None:
    answer = client.chat.completions.create(**ASKED, max_completion_tokens=99, temperature=0.5, n=1, tools=[TOOL])
    assert answer.choices[0].message.content == bodies.TEXT
    arrival, _, outcome = gateway.parts.kept[0]
    assert (arrival.account_id, arrival.api_key_id, arrival.api, arrival.endpoint) == (
        "alice",
        "key-1",
        "openai",
        "chat.completions",
    )
    assert (arrival.prompt, arrival.system_prompt, arrival.turns, arrival.tools) == (
        "Why?",
        "Be exact.",
        1,
        ("look_up",),
    )
    assert (arrival.max_tokens, arrival.temperature, arrival.n, arrival.stream) == (99, 0.5, 1, False)
    assert (arrival.ip, arrival.user_agent is not None) == ("127.0.0.1", True)
    assert (outcome.status, outcome.input_tokens, outcome.output_tokens) == (200, bodies.TOKENS_IN, bodies.TOKENS_OUT)
    assert outcome.response is None, "no text is kept unless that is configured"


def test_the_clients_key_stays_here_and_the_providers_goes_on(client: openai.OpenAI, gateway: Stack) -> None:
    client.chat.completions.create(**ASKED)
    headers = gateway.mock.seen.last["headers"]
    assert headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert not any(ALICE in value for value in headers.values())


def test_a_stream_arrives_and_is_counted(client: openai.OpenAI, gateway: Stack) -> None:
    stream = client.chat.completions.create(
        **ASKED, stream=True, stream_options={"include_usage": True}, **mock("events=12")
    )
    words = "".join(each.choices[0].delta.content or "" for each in stream if each.choices)
    assert words == "".join(f"w{number} " for number in range(12))
    outcome = gateway.parts.outcome()
    assert (outcome.input_tokens, outcome.output_tokens) == (bodies.TOKENS_IN, bodies.TOKENS_OUT)


def test_a_stream_without_usage_counts_its_pieces(client: openai.OpenAI, gateway: Stack) -> None:
    list(client.chat.completions.create(**ASKED, stream=True, **mock("events=12")))
    assert gateway.parts.outcome().output_tokens == 12


def test_tool_calls_arrive_whole_and_streamed(client: openai.OpenAI) -> None:
    call = client.chat.completions.create(**ASKED, tools=[TOOL], **mock("tool")).choices[0].message.tool_calls
    assert call is not None
    assert call[0].function.arguments == '{"term":"sum"}'
    with client.chat.completions.stream(**ASKED, tools=[TOOL], **mock("tool")) as stream:
        stream.until_done()
        streamed = stream.get_final_completion().choices[0].message.tool_calls
    assert streamed is not None
    assert streamed[0].function.arguments == '{"term":"sum"}'


def test_an_image_is_passed_on_untouched(client: openai.OpenAI, gateway: Stack) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 30_000}}
    content = [{"type": "text", "text": "What is it?"}, image]
    client.chat.completions.create(model="mock", messages=[{"role": "user", "content": content}])  # type: ignore[list-item]
    assert image["image_url"]["url"] in gateway.mock.seen.last["body"]  # type: ignore[index]
    assert gateway.parts.kept[0][0].prompt == "What is it?"


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_arrives_with_its_handles(client: openai.OpenAI, gateway: Stack, stream: bool) -> None:
    if stream:
        with client.responses.stream(model="mock", input="Why?", **mock("thinking")) as events:
            events.until_done()
            answer = events.get_final_response()
    else:
        answer = client.responses.create(model="mock", input="Why?", **mock("thinking"))  # type: ignore[assignment]
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    outcome = gateway.parts.outcome()
    assert outcome.output_tokens == bodies.TOKENS_OUT
    assert len(outcome.artefacts_out) == 2, "the encrypted reasoning, and the response's id"
    client.responses.create(model="mock", input="And?", previous_response_id=answer.id)
    assert gateway.parts.kept[1][0].artefacts_in[0] in outcome.artefacts_out
    assert bodies.ENCRYPTED not in str(gateway.parts.kept)


def test_errors_arrive_as_the_upstream_tells_them(client: openai.OpenAI, gateway: Stack) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(**ASKED, **mock("status=429"))
    assert (raised.value.code, raised.value.response.headers["retry-after"]) == ("mock", "0")
    assert gateway.parts.outcome().status == 429


def test_retries_are_the_clients(gateway: Stack) -> None:
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=ALICE, max_retries=2) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(**ASKED, **mock("status=500"))
    assert gateway.mock.seen.requests == 3


def test_embeddings_and_models_are_relayed_and_are_no_exchanges(client: openai.OpenAI, gateway: Stack) -> None:
    assert client.embeddings.create(model="mock", input="a").data[0].embedding == [0.5, -0.25]
    assert [model.id for model in client.models.list()] == ["mock"]
    assert client.models.retrieve("org/model-1").id == "org/model-1"
    assert [each.endpoint for each in gateway.parts.arrivals] == ["embeddings", "models", "models"]
    assert gateway.parts.kept == []


def test_a_wrong_key_is_told_as_the_api_tells_it(gateway: Stack) -> None:
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-sw-nobody", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as raised,
    ):
        client.chat.completions.create(**ASKED)
    assert raised.value.code == "invalid_api_key"
    assert gateway.mock.seen.requests == 0


def test_stored_responses_are_not_relayed_with_a_key_that_all_accounts_share(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_1")


def test_the_async_client_streams_many_at_a_time(gateway: Stack) -> None:
    async def one(client: openai.AsyncOpenAI, number: int) -> int:
        stream = await client.chat.completions.create(**ASKED, stream=True, **mock(f"events={number},delay=0.001"))
        return len([each async for each in stream if each.choices[0].delta.content])

    async def many() -> list[int]:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=ALICE, max_retries=0) as client:
            return await asyncio.gather(*(one(client, number) for number in range(1, 20)))

    assert asyncio.run(many()) == list(range(1, 20))
    assert len(gateway.parts.kept) == 19
    assert len({arrival.exchange_id for arrival, _, _ in gateway.parts.kept}) == 19
