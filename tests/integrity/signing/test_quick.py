"""The quick readers take exactly what the full one takes, whatever an upstream sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.integrity.signing import quick
from stillwatch.integrity.signing import signer as signing
from stillwatch.integrity.signing.reading import CHAT, MESSAGES, RESPONSES
from stillwatch.integrity.signing.said import Said
from stillwatch.integrity.signing.signer import Signer, SigningStream, read_question
from stillwatch.integrity.signing.sse import EVENT_END, Events, object_of
from stillwatch.lab.signed.samples import EVENTS, NOW, Content, make_signer, write_event

SIGNER = Signer(make_signer().ring, now=lambda: NOW * 1_000_000, nonce=lambda: bytes(16))
ENDPOINTS = (CHAT, RESPONSES, MESSAGES)
USUAL: dict[str, list[dict[str, Any]]] = {
    CHAT: [
        {"model": "m", "choices": [{"index": 0, "delta": {"content": "a", "role": "assistant"}, "logprobs": None}]},
        {"model": "m", "choices": [{"index": 1, "delta": {"reasoning_content": "b", "content": None}}], "usage": None},
        {"choices": [{"delta": {"content": "c"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
        {"choices": [{"delta": {"tool_calls": [{"index": 1, "function": {"name": "f", "arguments": "{"}}]}}]},
    ],
    RESPONSES: [
        {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": "a",
         "sequence_number": 1, "logprobs": [], "obfuscation": "x"},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{", "sequence_number": 2},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "b"},
        {"type": "response.audio.delta", "delta": "c"},
    ],
    MESSAGES: [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "b"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c"}},
    ],
}  # fmt: skip
NAMES = st.sampled_from([
    "choices", "delta", "content", "tool_calls", "function", "function_call", "arguments", "name", "input", "index",
    "model", "usage", "type", "text", "finish_reason", "refusal", "reasoning", "reasoning_content", "audio", "images",
    "output_index", "content_index", "summary_index", "partial_json", "thinking", "custom", "annotations", "stillwatch",
    "provider_specific_fields", "other", "d\\u0065lta", "still\\u0077atch", "n\u00e4me", "prompt_tokens",
])  # fmt: skip
SCALARS = st.sampled_from([
    "null", "true", "false", "0", "1", "-1", "1.0", "0.0", "-0", "1e0", "1e400", "123456789012345678901234567890",
    "18446744073709551616", "1" + "0" * 4_300, "1" + "0" * 310 + ".5", "NaN", "01", "tru", "[]", "{}", '""', '"text"',
    '"h\u00e9"', '"\\u0061"', '"\\ud83d"', '"\\ud83d\\ude00"', '"\\q"', '"a\\nb"', '"stillwatch"', '"text_delta"',
    '"thinking_delta"', '"response.output_text.delta"', '"response.refusal.delta"', '"content_block_delta"', '"\t"',
])  # fmt: skip


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}"


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda each: f"[{','.join(each)}]")
        | st.lists(st.tuples(NAMES, inner), max_size=4).map(_object)
    ),
    max_leaves=8,
)


@st.composite
def texts(draw: st.DrawFn, told: Any) -> str:
    """The JSON of a value; some of its members are other values, stand twice, or are joined by others."""
    if isinstance(told, list):
        return "[" + ", ".join(draw(texts(each)) for each in told) + "]"
    if not isinstance(told, dict):
        return json.dumps(told)
    pairs = []
    for name, value in told.items():
        how = draw(st.integers(0, 15))
        if how == 0:
            pairs.append((name, draw(VALUES)))
        if how != 0 or draw(st.booleans()):
            pairs.append((name, draw(texts(value))))
    more = draw(st.lists(st.tuples(NAMES, VALUES), max_size=2)) if draw(st.integers(0, 3)) == 0 else []
    return _object(draw(st.permutations([*pairs, *more])) if more else pairs)


FRAMES = st.sampled_from([
    b"data: %s\n\n", b"event: x\ndata: %s\n\n", b"data:%s\n\n", b"data: %s\r\n\r\n", b"event: x\nid: 1\ndata: %s\n\n",
    b"data: %s\nevent: x\n\n", b"\ndata: %s\n\n", b"data: 1\ndata: %s\n\n", b"data: %s\n\n\n", b"data: %s \n\n",
    b": note\n\ndata: %s\n\n", b"event: x\ndata: \ndata: %s\n\n", b"data: %s\n", b"event: x\n\ndata: %s\n\n",
])  # fmt: skip


@st.composite
def events(draw: st.DrawFn, endpoint: str) -> bytes:
    """An event of an API, or what looks like one."""
    text = draw(texts(draw(st.sampled_from(USUAL[endpoint])))).encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from([b"\xff", b"\n", b"\r", b"\x0b", b" ", b"}", b'"'])) + text[at:]
    return (draw(FRAMES) if draw(st.booleans()) else b"data: %s\n\n") % text


def sign(endpoint: str, pieces: list[bytes], quickly: bool) -> tuple[bytes, Any]:
    """What a client gets of a stream, and all that was taken of it."""
    with pytest.MonkeyPatch.context() as patch:
        if not quickly:
            patch.setattr(signing, "take", lambda *_: False)
        stream = SigningStream(read_question(endpoint, {"model": "m"}), SIGNER)
        sent = b"".join([stream.feed(each) for each in pieces]) + stream.rest()
    return sent, taken(stream._said)


def taken(said: Said) -> Any:
    return said.summary(), said.models, said.finish, said.usage, said.ended


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@given(told=st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_comes_the_quick_reader_takes_what_the_full_one_takes(endpoint: str, told: st.DataObject) -> None:
    pieces = told.draw(st.lists(events(endpoint), min_size=1, max_size=4))
    whole = b"".join(pieces)
    assert sign(endpoint, pieces, quickly=True) == sign(endpoint, pieces, quickly=False)
    assert sign(endpoint, [whole], quickly=True) == sign(endpoint, pieces, quickly=False)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("member", [
    b'"x":1e999', b'"x":"\xff"', b'"\xff":1', b'"x":1' + b"0" * 5_000, b'"x":' + b"[" * 1_500 + b"]" * 1_500,
    b'"x":"\\ud800"', b'"choices":[{"delta":{"provider_specific_fields":{"stillwatch":1}}}]', b'"stillwatch":null',
], ids=range(8))  # fmt: skip
def test_a_member_that_is_skipped_changes_nothing(endpoint: str, member: bytes) -> None:
    for usual in USUAL[endpoint]:
        event = b"data: %s,%s}\n\n" % (json.dumps(usual).encode()[:-1], member)
        assert sign(endpoint, [event], quickly=True) == sign(endpoint, [event], quickly=False)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_words_thoughts_and_calls_of_a_usual_stream_are_read_quickly(endpoint: str) -> None:
    content = Content("m", ["one ", "h\u00e9 "] * 20, [("look_up", '{"term": "sum"}')], ["so "] * 9)
    pieces = [write_event(each) for each in EVENTS[endpoint](content)]
    said = Said()
    held = [object_of(each) for each in pieces]
    assert all(held)
    assert sum(quick.take(each, said, endpoint) for each in held) >= 40 + 9 + 2


@given(
    pieces=st.lists(st.sampled_from([b"data: a", b"\n", b"\n\n", b"\r\n", b"x: y"]), max_size=12), at=st.integers(0, 40)
)
@settings(max_examples=200, deadline=None)
def test_events_are_cut_alike_wherever_the_pieces_end(pieces: list[bytes], at: int) -> None:
    for whole in (b"".join(pieces), b"".join(pieces).replace(b"\r", b"")):
        cut, found, start = Events(), list[bytes](), 0
        for end in EVENT_END.finditer(whole):
            found.append(whole[start : end.end()])
            start = end.end()
        at = at - 1 if whole[at - 1 : at] == b"\r" else at  # what ends with one may go on
        assert [*cut.feed(whole[:at]), *cut.feed(whole[at:]), cut.held] == [*found, whole[start:]]
