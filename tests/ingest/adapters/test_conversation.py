from __future__ import annotations

import json

import pytest

from stillwatch.ingest.adapters.base import first_address, hash_handle, look_up, name_key
from stillwatch.ingest.adapters.conversation import read_answer, read_messages, read_request, text_of, tool_names

ASKED = [{"role": "user", "content": "hello there"}]


@pytest.mark.parametrize(
    "held",
    [
        ASKED,
        json.dumps(ASKED),
        {"messages": ASKED},
        json.dumps({"messages": ASKED}),
        ASKED[0],
        "hello there",
        ["hello there"],
    ],
)
def test_the_last_user_message_is_the_prompt_however_it_is_kept(held) -> None:
    assert read_messages(held) == {"prompt": "hello there", "turns": 1}


@pytest.mark.parametrize("text", ['{"question": "why"}', '["a", "b"]', "[1, 2]", '{"text": "x"}', "[not json", "{}"])
def test_a_prompt_that_looks_like_json_stays_as_it_is(text) -> None:
    assert read_messages(text) == {"prompt": text, "turns": 1}
    assert read_request({"model": "m", "messages": [{"role": "user", "content": text}]})["prompt"] == text
    assert read_request({"model": "m", "input": text})["prompt"] == text


def test_an_object_that_holds_no_messages_is_a_prompt_as_json() -> None:
    assert read_messages({"question": "why"}) == {"prompt": '{"question": "why"}', "turns": 1}


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_nothing_asked_is_nothing(nothing) -> None:
    assert read_messages(nothing) == {}


def test_what_a_tool_returned_is_not_what_a_person_asked() -> None:
    result = {"role": "user", "content": [{"type": "tool_result", "content": "secret result"}]}
    assert read_messages([*ASKED, result]) == {"prompt": "hello there", "turns": 2}


def test_thoughts_are_not_words_of_an_answer() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "S"}, {"type": "text", "text": "yes"}]
    answer = read_answer({"content": blocks})
    assert answer == {"response": "yes", "artefacts_out": [hash_handle("S")]}


def test_system_prompts_of_both_places_are_joined() -> None:
    messages = [{"role": "system", "content": "two"}, *ASKED]
    assert read_messages(messages, [{"type": "text", "text": "one"}])["system_prompt"] == "one\ntwo"


def test_names_of_tools_are_found_in_every_shape() -> None:
    shapes = [{"function": {"name": "a"}}, {"name": "b"}, {"type": "c"}, '{"name": "d"}', "e", 7]
    assert tool_names(shapes) == ["a", "b", "c", "d", "e"]
    assert tool_names({}) is None


def test_numbers_and_flags_are_no_words() -> None:
    assert text_of([{"type": "text", "text": 7}, {"type": "image_url"}, True]) is None


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:443", "203.0.113.9"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (None, None),
    ],
)
def test_the_first_address_of_a_chain_is_the_client(said, address) -> None:
    assert first_address(said) == address


def test_a_key_is_hashed_once_and_with_its_scheme_taken_off() -> None:
    assert name_key("Bearer sk-1") == name_key("sk-1") == hash_handle("sk-1")
    assert name_key(hash_handle("sk-1")) == hash_handle("sk-1")
    assert name_key("") is None


def test_a_field_is_found_by_its_name_or_along_its_dots() -> None:
    record = {"a.b": 1, "c": {"d": {"e": 2}}, "f.g": {"h": 3}, "text": '{"i": 4}'}
    assert [look_up(record, name) for name in ("a.b", "c.d.e", "f.g.h", "text.i", "c.x")] == [1, 2, 3, 4, None]
