"""An outsider can check a proof file, and cannot be fooled by one that was altered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stillwatch.model import InputRefused, UsageError
from stillwatch.store.ledger import entries
from stillwatch.store.ledger.entries import Entry, write_entry
from stillwatch.store.ledger.files import check_file, consistency_file, inclusion_file
from stillwatch.store.ledger.notes import NotVouched, make_key, sign_checkpoint
from stillwatch.store.ledger.proofs import consistency, inclusion
from tests.store.ledger.trees import Grown

TEXTS = [write_entry(Entry(each, "ann", "account", "acct-1", entries.Approval(f"act-{each}"))) for each in range(11)]
GROWN = Grown(each.encode() for each in TEXTS)
KEY = make_key("example.com/stillwatch", b"\7" * 32)
OLD, NEW = (sign_checkpoint(size, GROWN.root(size), KEY) for size in (6, 11))
INCLUDED = inclusion_file(4, TEXTS[4], 11, inclusion(4, 11, GROWN.read), NEW)
GREW = consistency_file(OLD, NEW, 11, consistency(6, 11, GROWN.read))


def test_an_entry_is_proved_by_the_key_alone() -> None:
    found = check_file(json.dumps(INCLUDED), KEY.public)
    assert (found.holds, found.index, found.size) == (True, 4, 11)
    assert found.entry["content"] == {"action_id": "act-4"}


def test_growth_is_proved_by_the_key_alone() -> None:
    found = check_file(json.dumps(GREW), KEY.public)
    assert (found.holds, found.what) == (True, "the 6 entries are the first of the 11")


def test_a_proof_without_its_checkpoint_is_checked_against_one_from_elsewhere() -> None:
    bare = json.dumps({**INCLUDED, "checkpoint": None})
    assert check_file(bare, None, NEW).holds
    with pytest.raises(UsageError, match="holds no checkpoint"):
        check_file(bare, KEY.public)


def test_a_proof_is_not_believed_on_its_own_word() -> None:
    with pytest.raises(UsageError, match="give the log's key"):
        check_file(json.dumps(INCLUDED), None)


@pytest.mark.parametrize(
    "change",
    [
        {"entry": TEXTS[4].replace("ann", "bob")},
        {"entry": TEXTS[5]},
        {"index": 5},
        {"hashes": INCLUDED["hashes"][:-1]},
        {"hashes": INCLUDED["hashes"][::-1]},
    ],
    ids=["another person", "another entry", "another place", "a hash less", "another order"],
)
def test_an_altered_proof_does_not_hold(change: dict[str, Any]) -> None:
    assert not check_file(json.dumps({**INCLUDED, **change}), KEY.public).holds


def test_growth_from_another_past_does_not_hold() -> None:
    other = sign_checkpoint(6, GROWN.root(5), KEY)
    assert not check_file(json.dumps({**GREW, "old_checkpoint": other}), KEY.public).holds


@pytest.mark.parametrize("told", [INCLUDED, GREW], ids=["inclusion", "consistency"])
def test_a_proof_under_a_forged_checkpoint_is_refused(told: dict[str, Any]) -> None:
    forger = make_key("example.com/stillwatch", b"\1" * 32)
    with pytest.raises(NotVouched):
        check_file(json.dumps({**told, "checkpoint": sign_checkpoint(11, GROWN.root(11), forger)}), KEY.public)
    with pytest.raises(NotVouched, match="the proof is for a log of 11 entries, the checkpoint of 6"):
        check_file(json.dumps({**told, "checkpoint": OLD}), KEY.public)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({**INCLUDED, "hashes": ["%"]}),
        json.dumps({**INCLUDED, "size": "11"}),
        json.dumps({**INCLUDED, "index": True}),
        json.dumps({**INCLUDED, "entry": 5}),
        json.dumps({**INCLUDED, "checkpoint": 5}),
        json.dumps({**GREW, "old_checkpoint": None}),
    ],
)
def test_what_is_no_proof_is_refused_in_words(text: str) -> None:
    with pytest.raises(InputRefused):
        check_file(text, KEY.public)
