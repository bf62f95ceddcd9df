"""The real SDKs, wrapped in one line: signed answers pass, and whatever a reseller did to one is named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import anthropic
import openai
import pytest

from stillwatch.apps.gateway.signing.asgi import SigningMiddleware
from stillwatch.integrity import NotVerified, wrap
from stillwatch.integrity.signing.checking import Check, Fault, Rules
from stillwatch.integrity.signing.keys import new_ring, write_ring
from stillwatch.integrity.signing.record import FIELD
from stillwatch.lab.mock_upstream import MockUpstream
from stillwatch.model import InputRefused, UsageError
from tests.apps.gateway.running import served

ASKED: dict[str, Any] = {"model": "mock", "messages": [{"role": "user", "content": "Why?"}]}
NOON = 1_700_000_000


class Reseller:
    """Passes answers on, and does to each piece of them what a test says."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.change: Callable[[bytes], bytes] = lambda piece: piece

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        async def changed(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [each for each in message["headers"] if each[0] != b"content-length"]
                message = {**message, "headers": kept}
            elif message["type"] == "http.response.body":
                message = {**message, "body": self.change(message["body"])}
            await send(message)

        await self._app(scope, receive, changed)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Reseller]]:
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    write_ring(new_ring("api.example.com", NOON), keys, new=True)
    reseller = Reseller(SigningMiddleware(cast(Any, MockUpstream(usual="events=6,tool,thinking")), keys=keys))
    with served(reseller) as url:
        yield url, reseller


@pytest.fixture
def url(running: tuple[str, Reseller]) -> str:
    running[1].change = lambda piece: piece
    return running[0]


@pytest.fixture
def reseller(running: tuple[str, Reseller]) -> Reseller:
    return running[1]


def keys_at(url: str) -> str:
    return f"{url}/.well-known/stillwatch/answer-keys.json"


@pytest.fixture
def chat(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-any", max_retries=0) as client:
        yield wrap(client, keys=keys_at(url))


@pytest.fixture
def claude(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="sk-any", max_retries=0) as client:
        yield wrap(client, keys=keys_at(url))


def test_openai_answers_arrive_whole_and_streamed(chat: openai.OpenAI) -> None:
    answer = chat.chat.completions.create(**ASKED)
    assert answer.choices[0].message.tool_calls
    assert getattr(answer, FIELD)["record"]["issuer"] == "api.example.com"
    chunks = list(chat.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}))
    assert len([each for each in chunks if FIELD in str(each.choices and each.choices[0].delta.model_extra)]) == 1
    with chat.chat.completions.stream(**ASKED) as stream:
        assert stream.get_final_completion().choices[0].message.tool_calls


def test_openai_responses_arrive_whole_and_streamed(chat: openai.OpenAI) -> None:
    assert chat.responses.create(model="mock", input="Why?").status == "completed"
    with chat.responses.stream(model="mock", input="Why?") as stream:
        assert stream.get_final_response().status == "completed"


def test_anthropic_answers_arrive_whole_and_streamed(claude: anthropic.Anthropic) -> None:
    assert claude.messages.create(**ASKED, max_tokens=99).stop_reason == "tool_use"
    with claude.messages.stream(**ASKED, max_tokens=99) as stream:
        assert stream.get_final_message().stop_reason == "tool_use"


def test_asynchronous_clients_are_wrapped_too(url: str) -> None:
    async def ask() -> tuple[int, str | None]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-any", max_retries=0) as client:
            wrap(client, keys=keys_at(url))
            await client.chat.completions.create(**ASKED)
            chunks = [each async for each in await client.chat.completions.create(**ASKED, stream=True)]
        async with anthropic.AsyncAnthropic(base_url=url, api_key="sk-any", max_retries=0) as other:
            wrap(other, keys=keys_at(url))
            answer = await other.messages.create(**ASKED, max_tokens=99)
        return len(chunks), answer.stop_reason

    count, reason = asyncio.run(ask())
    assert count > 3
    assert reason == "tool_use"


def test_an_altered_answer_never_reaches_the_caller(chat: openai.OpenAI, reseller: Reseller) -> None:
    reseller.change = lambda piece: piece.replace(b"sum", b"all")
    with pytest.raises(NotVerified) as raised:
        chat.chat.completions.create(**ASKED)
    assert raised.value.check.names(Fault.TOOLS)
    assert "sum" not in str(raised.value), "an error quotes no answer"


def test_an_altered_answer_of_anthropics_is_named_after_no_retry(url: str, reseller: Reseller) -> None:
    reseller.change = lambda piece: piece.replace(b"First recall", b"Never recall")
    with anthropic.Anthropic(base_url=url, api_key="sk-any", max_retries=2) as client:
        wrap(client, keys=keys_at(url))
        with pytest.raises(NotVerified) as raised:
            client.messages.create(**ASKED, max_tokens=99)
    assert raised.value.check.result == "reasoning-altered"


def test_a_stream_that_was_altered_raises_before_its_end(chat: openai.OpenAI, reseller: Reseller) -> None:
    reseller.change = lambda piece: piece.replace(b"sum", b"all")
    got = []
    with pytest.raises(NotVerified) as raised:
        got.extend(chat.chat.completions.create(**ASKED, stream=True))
    assert raised.value.check.result == "tool-calls-altered"


def test_held_back_nothing_of_an_altered_stream_is_seen(url: str, reseller: Reseller) -> None:
    reseller.change = lambda piece: piece.replace(b"sum", b"all")
    got = []
    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-any", max_retries=0) as client:
        wrap(client, keys=keys_at(url), hold=True)
        with pytest.raises(NotVerified):
            got.extend(client.chat.completions.create(**ASKED, stream=True))
        reseller.change = lambda piece: piece
        assert list(client.chat.completions.create(**ASKED, stream=True))
    assert got == []


def test_an_answer_without_its_receipt_is_unsigned_and_not_forged(chat: openai.OpenAI, reseller: Reseller) -> None:
    reseller.change = lambda piece: piece.replace(b'"stillwatch":', b'"elsewhere":')
    for stream in (False, True):
        with pytest.raises(NotVerified) as raised:
            list(chat.chat.completions.create(**ASKED, stream=stream))
        assert raised.value.check.result == "unsigned"


def test_a_stream_that_pretends_to_be_over_is_truncated(chat: openai.OpenAI, reseller: Reseller) -> None:
    for end in (b"data: [DONE]\n\n", b"data: [DONE]x\n\r\n", b"data: [DONE]", b""):
        reseller.change = lambda piece, end=end: (
            piece[: len(piece) // 2].rpartition(b"\n\n")[0] + b"\n\n" + end if piece else piece
        )  # type: ignore[misc]
        with pytest.raises(NotVerified) as raised:
            list(chat.chat.completions.create(**ASKED, stream=True))
        assert raised.value.check.result in ("truncated", "unsigned")


def test_an_event_under_a_name_that_sdks_skip_is_not_taken_for_read(
    claude: anthropic.Anthropic, reseller: Reseller
) -> None:
    reseller.change = lambda piece: piece.replace(b"event: content_block_delta\n", b"event: ping\n", 1)
    with pytest.raises(NotVerified) as raised:
        list(claude.messages.create(**ASKED, max_tokens=99, stream=True))
    assert raised.value.check.result == "unreadable"


def test_an_old_answer_to_the_same_request_is_a_replay(url: str, reseller: Reseller) -> None:
    first: list[bytes] = []

    def repeated(piece: bytes) -> bytes:
        if piece:
            first.append(piece)
        return first[0] if piece else piece

    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-any", max_retries=0) as client:
        wrap(client, keys=keys_at(url))
        reseller.change = repeated
        client.chat.completions.create(**ASKED)
        with pytest.raises(NotVerified) as raised:
            client.chat.completions.create(**ASKED)
    assert raised.value.check.result == "replayed"


def test_who_gives_a_function_decides_what_becomes_of_a_check(url: str, reseller: Reseller) -> None:
    reseller.change = lambda piece: piece.replace(b"sum", b"all")
    checks: list[Check] = []
    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-any", max_retries=0) as client:
        wrap(client, keys=keys_at(url), on_check=checks.append)
        client.chat.completions.create(**ASKED)
        list(client.chat.completions.create(**ASKED, stream=True))
    assert [each.result for each in checks] == ["tool-calls-altered"] * 2


def test_a_resellers_name_for_a_model_is_known_by_its_alias(url: str, reseller: Reseller) -> None:
    reseller.change = lambda piece: piece.replace(b'"model": "mock"', b'"model": "best"').replace(
        b'"model":"mock","id', b'"model":"best","id'
    )
    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-any", max_retries=0) as client:
        wrap(client, keys=keys_at(url), rules=Rules(aliases={"best": "mock"}))
        client.chat.completions.create(**ASKED)


def test_errors_and_other_endpoints_are_none_of_its_business(chat: openai.OpenAI) -> None:
    assert chat.models.list().data
    with pytest.raises(openai.RateLimitError):
        chat.chat.completions.create(**ASKED, extra_headers={"mock": "status=429"})


def test_keys_that_cannot_be_read_are_refused_at_once(tmp_path: Path) -> None:
    with openai.OpenAI(api_key="sk-any") as client:
        with pytest.raises(InputRefused, match="cannot be read"):
            wrap(client, keys=tmp_path / "none.json")
        with pytest.raises(InputRefused, match="cannot be fetched"):
            wrap(client, keys="http://127.0.0.1:9/keys.json")
    with pytest.raises(UsageError, match="no client"):
        wrap(object(), keys={"issuer": "x", "keys": []})
