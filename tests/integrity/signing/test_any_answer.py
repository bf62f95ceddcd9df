"""Whatever JSON an upstream sends: it is signed without an error, and what was signed is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.integrity.signing.checking import Checker, Expected
from stillwatch.integrity.signing.reading import CHAT, MESSAGES, RESPONSES
from stillwatch.integrity.signing.received import Received
from stillwatch.integrity.signing.signer import SigningStream, read_question, sign_answer
from stillwatch.lab.signed.samples import make_signer, write_event

SIGNER = make_signer()
CHECKER = Checker(SIGNER.ring.public())
NAMES = st.sampled_from([
    "choices", "message", "delta", "content", "tool_calls", "function", "arguments", "name", "index", "model", "usage",
    "output", "type", "text", "summary", "input", "finish_reason", "stop_reason", "status", "response", "item", "part",
    "content_block", "output_index", "refusal", "reasoning_content", "annotations", "prompt_tokens", "messages", "n",
])  # fmt: skip
WORDS = st.sampled_from([
    "text", "tool_use", "output_text", "message", "function_call", "reasoning", "thinking", "text_delta",
    "content_block_delta", "response.completed", "response.output_text.delta", "h\u00e9", "\ud83d", "0.5",
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=6)
ENDPOINTS = pytest.mark.parametrize("endpoint", [CHAT, RESPONSES, MESSAGES])


@ENDPOINTS
@given(answer=OBJECTS, asked=OBJECTS)
@settings(max_examples=30, deadline=None)
def test_any_answer_is_signed_and_believed(endpoint: str, answer: dict[str, Any], asked: dict[str, Any]) -> None:
    signed = sign_answer(json.dumps(answer).encode(), read_question(endpoint, asked), SIGNER)
    received = Received(False, endpoint)
    received.whole(signed)
    assert CHECKER.check(received, Expected({**asked, "model": None})).genuine


@ENDPOINTS
@given(events=st.lists(OBJECTS, max_size=5), asked=OBJECTS)
@settings(max_examples=20, deadline=None)
def test_any_stream_passes_and_what_was_signed_of_it_is_believed(
    endpoint: str, events: list[dict[str, Any]], asked: dict[str, Any]
) -> None:
    sent = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in events]
    stream = SigningStream(read_question(endpoint, asked), SIGNER)
    signed = [stream.feed(each) for each in sent]
    assert stream.rest() == b""
    assert len(signed) == len(sent)
    assert all(each.startswith(was[:-3]) or each.endswith(was) for each, was in zip(signed, sent, strict=True))
    assert write_event({"type": "x"}).startswith(b"event: x")
