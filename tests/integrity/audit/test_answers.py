from __future__ import annotations

import json

import pytest

from stillwatch.integrity.audit.answers import declines, read_answer
from stillwatch.integrity.toolcalls.records import ToolCall
from stillwatch.lab import mock_bodies


def test_an_openai_answer_is_read() -> None:
    body = json.loads(mock_bodies.whole("/v1/chat/completions", {"model": "m"}, {"logprobs": "", "tool": ""}))
    answer = read_answer("openai", body, 0.5)
    assert answer.calls == (ToolCall("look_up", '{"term":"sum"}'),)
    assert (answer.text, answer.output_tokens, answer.seconds, answer.refused) == ("", 40, 0.5, False)
    assert answer.logprobs == {"The": -0.1}


def test_an_anthropic_answer_is_read() -> None:
    body = json.loads(mock_bodies.whole("/v1/messages", {"model": "m"}, {"thinking": "", "tool": ""}))
    answer = read_answer("anthropic", body, 0.5)
    assert answer.text == mock_bodies.TEXT
    assert [call.name for call in answer.calls] == ["look_up"]
    assert json.loads(answer.calls[0].arguments) == {"term": "sum"}


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{"message": None}]}, {"content": 5}])
@pytest.mark.parametrize("shape", ["openai", "anthropic"])
def test_what_is_no_answer_is_refused_without_quoting_it(shape: str, body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"not an answer in {shape}'s shape"):
        read_answer(shape, body, 0.1)


def test_refusals_are_told_by_the_api_or_by_how_they_open() -> None:
    told = {"choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}]}
    assert read_answer("openai", told, 0.1).refused
    assert read_answer("anthropic", {"content": [], "stop_reason": "refusal"}, 0.1).refused
    assert declines("I'm sorry, but I can't help with that.")
    assert declines("I cannot do this.")
    assert not declines("I can do this. Sorry for the delay.")
    assert not declines("The word 'cannot' has six letters.")
