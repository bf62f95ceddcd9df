"""Signing leaves every byte as it came, but for the receipt; and any JWS library can check it."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from stillwatch.integrity.signing.canonical import canonical
from stillwatch.integrity.signing.checking import Checker, Expected, Fault, Rules
from stillwatch.integrity.signing.keys import rotate
from stillwatch.integrity.signing.received import receive
from stillwatch.integrity.signing.record import FIELD, Receipt
from stillwatch.integrity.signing.signer import SigningStream, read_question, sign_answer
from stillwatch.lab.signed.samples import EVENTS, NOW, Content, make_sample, make_signer, write_event
from stillwatch.model import StillwatchError, UsageError

CHAT = "chat.completions"
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Why?"}]}
QUESTION = read_question(CHAT, ASKED)
SIGNER = make_signer()
ANSWER = (
    b'{ "object":"chat.completion", "model":"m","choices":[{"index":0,"message":{"content":"h\\u00e9 \\ud83d"},'
    b'"finish_reason":"stop"}] }\n'
)
CONTENT = Content("m", ["one ", "two ", "three"], [], [])
STREAM = [*map(write_event, EVENTS[CHAT](CONTENT)), b"data: [DONE]\n\n"]


def check(answer: bytes, asked: dict[str, Any] = ASKED) -> str:
    return Checker(SIGNER.ring.public()).check(receive(answer), Expected(asked)).result


def without_receipt(signed: bytes) -> bytes:
    if not signed.startswith(b"{"):
        return b"".join(each for each in re.split(rb"(?<=\n\n)", signed) if FIELD.encode() not in each)
    start = signed.index(b',"' + FIELD.encode())
    end = signed.index(b'"}', signed.index(b'"signature":', start)) + 2
    return signed[:start] + signed[end:]


def test_every_byte_of_an_answer_stays_but_for_the_receipt() -> None:
    signed = sign_answer(ANSWER, QUESTION, SIGNER)
    assert without_receipt(signed) == ANSWER.replace(b"}] }", b"}]}") or without_receipt(signed) == ANSWER
    assert check(signed) == "genuine"


def test_every_byte_of_a_stream_stays_but_for_the_receipt_however_it_is_cut() -> None:
    whole = b"".join(STREAM)
    for size in (1, 7, 100, len(whole)):
        stream = SigningStream(QUESTION, SIGNER)
        signed = b"".join(stream.feed(whole[at : at + size]) for at in range(0, len(whole), size)) + stream.rest()
        assert without_receipt(signed) == whole
        assert check(signed) == "genuine"


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n"])
def test_every_way_to_end_an_event_is_signed_and_checked(end: bytes) -> None:
    whole = b"".join(each.rstrip(b"\n").replace(b"\n", end[: len(end) // 2]) + end for each in STREAM)
    stream = SigningStream(QUESTION, SIGNER)
    signed = stream.feed(whole) + stream.rest()
    assert FIELD.encode() in signed
    assert check(signed) == "genuine"


def test_a_relay_that_cuts_the_words_otherwise_does_no_harm() -> None:
    chance = random.Random(3)
    stream = SigningStream(QUESTION, SIGNER)
    signed = stream.feed(b"".join(STREAM)) + stream.rest()
    told = [json.loads(each[6:]) for each in signed.split(b"\n\n") if each.startswith(b"data: {")]
    cut = []
    for event in told:
        text = event["choices"][0]["delta"].get("content")
        for piece in [text] if not text else list(text):
            again = json.loads(json.dumps(event))
            if text:
                again["choices"][0]["delta"]["content"] = piece
            cut.append(write_event(again))
    assert len(cut) > len(told)
    assert check(b"".join(cut)) == "genuine"
    chance.shuffle(cut)
    assert check(b"".join(cut)) != "genuine"


def test_joserfc_and_no_code_of_ours_checks_a_receipt() -> None:
    told = json.loads(sign_answer(ANSWER, QUESTION, SIGNER))[FIELD]
    key = OKPKey.import_key(SIGNER.ring.public().keys[told["record"]["kid"]].jwk())
    found = jws.deserialize_compact(told["signature"], key, algorithms=["Ed25519"], payload=canonical(told["record"]))
    assert found.headers()["typ"] == "stillwatch-answer"


def test_an_answer_that_another_signed_is_left_alone() -> None:
    signed = sign_answer(ANSWER, QUESTION, SIGNER)
    assert sign_answer(signed, QUESTION, make_signer()) == signed
    stream = SigningStream(QUESTION, SIGNER)
    once = stream.feed(b"".join(STREAM)) + stream.rest()
    again = SigningStream(QUESTION, make_signer())
    assert again.feed(once) + again.rest() == once


@pytest.mark.parametrize("body", [b"", b"[]", b"not JSON", b'{"cut": ', b'"text"'])
def test_what_is_no_answer_passes_as_it_is(body: bytes) -> None:
    assert sign_answer(body, QUESTION, SIGNER) == body


def test_several_choices_are_signed_once_all_have_ended() -> None:
    question = read_question(CHAT, ASKED | {"n": 2})
    stream = SigningStream(question, SIGNER)

    def chunk(at: int, delta: dict[str, Any], why: str | None = None) -> bytes:
        choice = {"index": at, "delta": delta, "finish_reason": why}
        return write_event({"object": "chat.completion.chunk", "model": "m", "choices": [choice]})

    first = stream.feed(chunk(0, {"content": "a"}) + chunk(1, {"content": "b"}) + chunk(0, {}, "stop"))
    assert FIELD.encode() not in first
    last = stream.feed(chunk(1, {"content": "c"}) + chunk(1, {}, "length"))
    assert check(first + last, ASKED | {"n": 2}) == "genuine"


def test_a_chat_that_never_says_why_it_ends_is_signed_before_its_end() -> None:
    stream = SigningStream(QUESTION, SIGNER)
    signed = stream.feed(b"".join([*STREAM[:-2], STREAM[-1]]))
    assert check(signed) == "genuine"


def test_a_stream_passes_unsigned_when_no_key_may_sign_any_more() -> None:
    clock = [NOW]
    signer = make_signer(NOW)
    signer._now = lambda: clock[0] * 1_000_000
    signer.replace(rotate(signer.ring, NOW, 10**9, -(10**9) + 60))
    failed: list[StillwatchError] = []
    stream = SigningStream(QUESTION, signer, failed=failed.append)
    clock[0] = NOW + 3_600
    assert stream.feed(b"".join(STREAM)) == b"".join(STREAM)
    assert [type(each) for each in failed] == [UsageError]


def test_what_the_request_leaves_unsaid_or_says_otherwise_is_no_other_question() -> None:
    signed = sign_answer(ANSWER, QUESTION, SIGNER)
    same = {"model": "m", "stream": False, "n": None, "user": "x",
            "messages": [{"role": "user", "name": None, "content": [{"type": "text", "text": "Why?"}]}]}  # fmt: skip
    assert check(signed, same) == "genuine"
    noted = Checker(SIGNER.ring.public()).check(receive(signed), Expected(ASKED | {"temperature": 0}))
    assert noted.genuine
    assert "settings" in noted.notes[0]
    strict = Checker(SIGNER.ring.public(), Rules(strict=True)).check(
        receive(signed), Expected(ASKED | {"temperature": 0})
    )
    assert strict.result == Fault.REQUEST


def test_a_receipt_never_shows_what_was_said() -> None:
    sample = make_sample(random.Random(1), SIGNER)
    assert b"record" in sample.answer
    assert "record=" not in repr(Receipt({}, "x")) or "signature" not in repr(Receipt({}, "x"))
