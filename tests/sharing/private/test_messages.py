"""Greetings are read at the edge: whatever is wrong with one is refused with its reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.sharing.private.group import ExchangeRefused
from stillwatch.sharing.private.messages import Hello, Welcome, context_of, read_hello, read_welcome

HELLO = Hello(1, "funding", "ab" * 32, 1_024, "cd" * 32)
WELCOME = Welcome(1, "01" * 16, "ef" * 32, 2_048, "23" * 32)


def changed(**values: Any) -> bytes:
    return json.dumps(json.loads(HELLO.to_bytes()) | values).encode()


def test_a_greeting_survives_the_way() -> None:
    assert read_hello(HELLO.to_bytes(), 100_000, 1_024) == HELLO
    assert read_welcome(WELCOME.to_bytes(), 100_000, 1_024) == WELCOME


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "no JSON"),
        (b"[" * 1_000, "no JSON"),
        (b"[]", "exactly the fields"),
        (changed(extra=1), "exactly the fields"),
        (changed(version=2), "version 2"),
        (changed(version=True), "version is no whole number"),
        (changed(family="prompts"), "infrastructure and funding"),
        (changed(size=0), "a set of 0 elements"),
        (changed(size=-5), "a set of -5 elements"),
        (changed(size=101_377), "at most 100,352"),
        (changed(size=1.5), "size is no whole number"),
        (changed(nonce="ab"), "nonce is not 32 bytes"),
        (changed(nonce="AB" * 32), "lower-case hex"),
        (changed(commitment=7), "commitment is no text"),
        (b" " * 2_000, "2,000 bytes"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ExchangeRefused, match=reason):
        read_hello(data, 100_000, 1_024)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.lists(st.text(max_size=9)).map(str).map(str.encode))
def test_noise_is_refused_and_breaks_nothing(data: bytes) -> None:
    for read in (read_hello, read_welcome):
        with pytest.raises(ExchangeRefused):
            read(data, 100_000, 1_024)


def test_every_part_of_a_greeting_changes_what_elements_hash_to() -> None:
    contexts = {
        context_of(HELLO, WELCOME),
        context_of(Hello(1, "infrastructure", "ab" * 32, 1_024, "cd" * 32), WELCOME),
        context_of(Hello(1, "funding", "ac" * 32, 1_024, "cd" * 32), WELCOME),
        context_of(HELLO, Welcome(1, "01" * 16, "ee" * 32, 2_048, "23" * 32)),
        context_of(HELLO, Welcome(1, "01" * 16, "ef" * 32, 2_048, "24" * 32)),
    }
    assert len(contexts) == 5
