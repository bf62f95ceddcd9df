from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.apps.gateway.apis.twinning import Twinning, may_be_rendered
from stillwatch.provenance.twins.coins import serve

KEY = b"k" * 32
TEXT = (
    "However, we do not often go. For example, they usually stay.\n\n```\nfor example\n```\nIn order to see it, "
    "say 42. The others cannot, even though it isn't far: based on what? Perhaps so."
)
SERVED = serve(TEXT, KEY)[0]
CUTS = st.lists(st.integers(1, 25), min_size=1, max_size=12)
CALL = {"index": 0, "function": {"arguments": '{"text": "for example, we do not go"}'}}


def pieces(text: str, sizes: list[int]) -> Iterator[str]:
    at = number = 0
    while at < len(text):
        size = sizes[number % len(sizes)]
        yield text[at : at + size]
        at, number = at + size, number + 1


def chat(text: str, sizes: list[int]) -> Iterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], reason: str | None = None, index: int = 0) -> dict[str, Any]:
        return {"id": "c-1", "choices": [{"index": index, "delta": delta, "finish_reason": reason}], "usage": None}

    yield chunk({"role": "assistant", "content": ""})
    yield chunk({"reasoning_content": "for example, we often do"})
    for each in pieces(text, sizes):
        yield chunk({"content": each})
        yield chunk({"content": each}, index=1)
    yield chunk({"tool_calls": [CALL]})
    yield chunk({}, "stop")
    yield chunk({}, "stop", 1)
    yield {"id": "c-1", "choices": [], "usage": {"total_tokens": 9}}


def messages(text: str, sizes: list[int]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 1}}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": TEXT}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}
    for each in pieces(text, sizes):
        yield {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": each}}
    yield {"type": "content_block_stop", "index": 1}
    yield {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": TEXT}}
    yield {"type": "message_stop"}


def part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def responses(text: str, sizes: list[int]) -> Iterator[dict[str, Any]]:
    at = {"output_index": 0, "content_index": 0}
    item = {"type": "message", "content": [part(text)]}
    call = {"type": "function_call", "arguments": '{"text": "for example"}'}
    yield {"type": "response.created", "response": {"output": []}}
    yield {"type": "response.content_part.added", **at, "part": part("")}
    for each in pieces(text, sizes):
        yield {"type": "response.output_text.delta", **at, "delta": each, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": part(text)}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": {"output": [item, call]}}


def through(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is sent of a stream, as the relay does it: each event as read from its own bytes."""
    step = Twinning(KEY)
    told = [made for each in events for made in step.event(json.loads(json.dumps(each)))]
    held = [*told, *step.end()]
    assert not step.holding
    return held


@given(CUTS)
@settings(max_examples=25, deadline=None)
def test_a_stream_says_the_twin_and_nothing_else_of_it_differs(sizes: list[int]) -> None:
    events = through(chat(TEXT, sizes))
    for index in (0, 1):
        choices = [choice for each in events for choice in each["choices"] if choice["index"] == index]
        assert "".join(choice["delta"].get("content") or "" for choice in choices) == SERVED
        assert [choice["finish_reason"] for choice in choices][-1] == "stop"
    others = [each for each in events if not each["choices"] or not each["choices"][0]["delta"].get("content")]
    told = [each for each in chat("", sizes) if not each["choices"] or not each["choices"][0]["delta"].get("content")]
    assert [each for each in others if each["choices"][:1] and "content" in each["choices"][0]["delta"]][:1] == told[:1]
    assert [each for each in told if each not in others] == []

    events = through(messages(TEXT, sizes))
    texts = [each["delta"]["text"] for each in events if (each.get("delta") or {}).get("type") == "text_delta"]
    assert "".join(texts) == SERVED
    assert [each for each in events if (each.get("delta") or {}).get("type") != "text_delta"] == list(
        messages("", sizes)
    )
    kinds = [each["type"] for each in events if each.get("index") == 1]
    assert (kinds[0], kinds[-1]) == ("content_block_start", "content_block_stop")

    events = through(responses(TEXT, sizes))
    assert "".join(each["delta"] for each in events if each["type"] == "response.output_text.delta") == SERVED
    kept = [each for each in events if each["type"] != "response.output_text.delta"]
    told = [each for each in responses(SERVED, sizes) if each["type"] != "response.output_text.delta"]
    assert kept == told


def test_an_answer_says_the_twin_and_keeps_its_tool_calls_and_its_reasoning() -> None:
    call = {"type": "function", "function": {"arguments": '{"text": "for example"}'}}
    thought = {"type": "thinking", "thinking": TEXT}
    use = {"type": "tool_use", "input": {"text": "for example, we do not go"}}
    for plain, served in (
        ({"choices": [{"message": {"content": TEXT, "reasoning_content": TEXT, "tool_calls": [call]}}]},
         {"choices": [{"message": {"content": SERVED, "reasoning_content": TEXT, "tool_calls": [call]}}]}),
        ({"content": [thought, {"type": "text", "text": TEXT}, use]},
         {"content": [thought, {"type": "text", "text": SERVED}, use]}),
        ({"output": [{"type": "message", "content": [part(TEXT)]}]},
         {"output": [{"type": "message", "content": [part(SERVED)]}]}),
    ):  # fmt: skip
        assert altered(plain) == served


def test_text_that_something_points_into_is_left_alone() -> None:
    for told in (
        {"content": [{"type": "text", "text": TEXT, "citations": [{"start_char_index": 3}]}]},
        {"output": [{"content": [part(TEXT) | {"annotations": [{"start_index": 3}]}]}]},
        {"choices": [{"message": {"content": TEXT}, "logprobs": {"content": [{"token": "However"}]}}]},
        {"choices": [{"message": {"content": TEXT, "annotations": [{"start_index": 3}]}}]},
    ):
        assert altered(told) == told


def test_an_answer_without_a_site_is_the_same() -> None:
    told = {"choices": [{"message": {"content": "Forty-two."}, "finish_reason": "stop"}], "usage": {"total_tokens": 3}}
    assert altered(told) == told
    texts = [each["delta"]["text"] for each in through(messages("Forty-two.", [30])) if said(each)]
    assert "".join(texts) == "Forty-two."


@pytest.mark.parametrize(
    "asked",
    [
        {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_schema"}}},
        {"logprobs": True},
        {"top_logprobs": 3},
        {"tools": [{"type": "web_search_20260101"}]},
        {"messages": [{"content": [{"type": "document", "citations": {"enabled": True}}]}]},
    ],
)
def test_requests_that_ask_for_a_form_for_probabilities_or_for_citations_get_no_twin(asked: dict[str, Any]) -> None:
    assert not may_be_rendered(asked)


def test_other_requests_may() -> None:
    assert may_be_rendered({"messages": [{"role": "user", "content": "Go?"}], "response_format": {"type": "text"}})


def test_a_stream_that_nothing_ends_still_says_what_was_held() -> None:
    events = [each for each in messages(TEXT, [10]) if each["type"] == "content_block_delta" and each["index"] == 1]
    assert "".join(each["delta"]["text"] for each in through(events) if said(each)) == SERVED


def said(event: dict[str, Any]) -> bool:
    return (event.get("delta") or {}).get("type") == "text_delta"


def altered(answer: dict[str, Any]) -> Any:
    return Twinning(KEY).whole(json.loads(json.dumps(answer)))
