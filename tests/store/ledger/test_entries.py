"""An entry has one text, and a text that is not that one is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.store.ledger import entries
from stillwatch.store.ledger.canonical import LARGEST, canonical, decimal
from stillwatch.store.ledger.entries import Entry, EntryKind, read_entry, write_entry

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBER = st.integers(-LARGEST, LARGEST)
NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
EXAMPLES: list[Any] = [
    entries.Answer("GeIa1UYugIsnFlrx1vUL06Hv86BLtKTNCAqYccv6CSk", "AVUshLKbnEuk"),
    entries.Verdict("suspect", decimal(0.7), decimal(4.2), decimal(3), decimal(-1), 12, 3_000, ("a", "b"), ("c",)),
    entries.Action("act-1", "suspend", {"max_output_tokens": 100}, "distillation", "rule", 2_000, True),
    entries.Approval("act-1"),
    entries.Reversal("act-1", "it was a nightly evaluation"),
    entries.Policy("rules: []\n"),
    entries.KeyIssued("key-3", "ci", None),
    entries.KeyRevoked("key-3"),
    entries.Verification("business"),
    entries.Declaration("synthetic data for a safety classifier"),
    entries.MarkCommitted("campaign:c-1", "twins", 2, 1_700_000_000_000_000, "ab" * 32, {"plan": "twins 1"}),
    entries.Record("share", {"partner": None, "tlp": "amber", "withheld": [{"count": 3}]}),
]


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda each: each.KIND)
def test_every_kind_of_entry_is_read_as_it_was_written(content: Any) -> None:
    entry = Entry(1_700_000_000_000_000, "ann", "account", "acct-1", content)
    assert read_entry(write_entry(entry)) == entry


def test_every_kind_has_an_example() -> None:
    assert {each.KIND for each in EXAMPLES} == set(EntryKind)


@given(VALUES)
def test_a_value_has_one_text_whatever_the_order_of_its_names(value: Any) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text
    if isinstance(value, dict):
        assert canonical(dict(reversed(value.items()))) == text


@pytest.mark.parametrize(
    "value", [0.5, 2**53, float("nan"), {"a b": 1}, {1: 2}, {"é": 1}, "\ud800", b"x", {"a": [0.1]}, {"a", "b"}]
)
def test_what_has_no_one_text_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical(value)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ", ", 1),
        lambda text: text.replace('"v":1', '"v":2'),
        lambda text: text.replace('"v":1', '"v":1,"w":1'),
        lambda text: text.replace('"at":5', '"at":5.0'),
        lambda text: text.replace("approval", "nothing"),
        lambda text: text.replace("action_id", "acton_id"),
        lambda text: text[:-1],
        lambda text: "[]",
        lambda text: "[" * 100_000,
    ],
)
def test_another_text_is_no_entry(change: Any) -> None:
    text = write_entry(Entry(5, "ann", "account", "a", entries.Approval("act-1")))
    with pytest.raises(ValueError, match=r"."):
        read_entry(change(text))
