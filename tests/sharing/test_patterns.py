"""Patterns that we write are read back as what they were; others are left to a real matcher."""

from __future__ import annotations

from typing import Any

import pytest

from stillwatch.sharing.case import Kind
from stillwatch.sharing.patterns import pattern, read_pattern
from stillwatch.sketch.fingerprints import Fingerprint
from tests.sharing.cases import VALUES


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=[f"{kind}-{at}" for at, (kind, _) in enumerate(VALUES)])
def test_a_pattern_is_read_back_as_its_kind_and_value(kind: Kind, value: Any) -> None:
    text = value.text() if isinstance(value, Fingerprint) else value
    text = "0f" * 32 if kind is Kind.PAYMENT else text
    assert read_pattern(pattern(kind, text, "b-2026-11")) == (kind, text)


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "[ipv4-addr:value = '198.51.100.7'] REPEATS 5 TIMES WITHIN 60 SECONDS",
        "[ipv4-addr:value = '198.51.100.7' OR ipv4-addr:value = '198.51.100.8']", "[file:name = 'a']",
        "[ipv4-addr:value != '198.51.100.7']",
    ],
)  # fmt: skip
def test_a_pattern_of_another_form_is_not_taken_for_one_of_ours(text: str) -> None:
    assert read_pattern(text) is None


def test_a_quote_in_a_value_cannot_end_the_pattern() -> None:
    assert pattern(Kind.MAIL_DOMAIN, "a' OR file:name = 'b") == "[domain-name:value = 'a\\' OR file:name = \\'b']"
