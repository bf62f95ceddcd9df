"""Patterns that would stall their reader are refused; those that people write are not."""

from __future__ import annotations

import pytest

from stillwatch.sharing.taxii.patterns import LONGEST, pattern_fault

GOOD = [
    "[ipv4-addr:value ISSUBSET '198.51.100.0/24']",
    "[autonomous-system:number = 64500]",
    "[email-addr:value MATCHES '^[a-z]{6}[0-9]{4}@mail\\\\.example$']",
    "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'[*] = 'it\\'s [one (of']",
    "([a:b = 1] AND [c:d = 2]) FOLLOWEDBY [e:f MATCHES '^(ab|cd)+$'] WITHIN 5 SECONDS",
    "[a:b MATCHES '^(a+){3}[(+*]+$']",
]


@pytest.mark.parametrize("pattern", GOOD)
def test_takes_what_people_write(pattern: str) -> None:
    assert pattern_fault(pattern, "stix") is None


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (None, "no string"),
        ("x" * (LONGEST + 1), "longer"),
        ("[a:b = '\x00']", "zero byte"),
        ("[" * 1_000, "deeper"),
        ("[a:b = 1", "do not match"),
        ("[a:b = 1)", "do not match"),
        ("a:b = 1", "no observation"),
        ("[a:b = 'x]", "does not end"),
        ("[a:b MATCHES '(a+)+$']", "repeats"),
        ("[a:b MATCHES '((a|aa)*b)*$']", "repeats"),
        ("[a:b MATCHES '(x{2,})+']", "repeats"),
    ],
)
def test_refuses_with_a_reason(pattern: object, reason: str) -> None:
    assert reason in (pattern_fault(pattern, "stix") or "")


def test_other_languages_are_only_bounded() -> None:
    assert pattern_fault('alert tcp any any -> any any (content:"(")', "snort") is None
    assert "longer" in (pattern_fault("x" * (LONGEST + 1), "snort") or "")
