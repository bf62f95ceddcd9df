"""One text for equal JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.integrity.signing.canonical import LARGEST, canonical, decode, encode

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_the_fast_way_writes_what_rfc_8785_asks_for(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [{"id": 12345678901234567890}, [float("nan")], "half a pair \ud83d"])
def test_what_rfc_8785_has_no_text_for_has_one_here(value: Any) -> None:
    assert canonical(value) == canonical(json.loads(json.dumps(value)))


def test_no_digit_of_a_long_number_can_be_changed() -> None:
    assert canonical({"id": 12345678901234567890}) != canonical({"id": 12345678901234567891})


@given(st.binary(max_size=40))
def test_base64url_comes_back(raw: bytes) -> None:
    assert decode(encode(raw)) == raw
