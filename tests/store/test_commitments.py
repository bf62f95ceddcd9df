"""A commitment stands in the ledger once, since its first entry; the key is nowhere in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.model import UsageError
from stillwatch.store.audit import audit
from stillwatch.store.commitments import committed, enter_commitment, find_commitment, read_commitments
from stillwatch.store.database import Store, version
from stillwatch.store.ledger.entries import MarkCommitted
from stillwatch.store.policies import record_policy

METHOD = {"plan": "twins 1"}
FIRST = MarkCommitted("campaign:c-1", "twins", 1, 5, "ab" * 32, METHOD)
NEXT = replace(FIRST, epoch=2, begins=9, commitment="cd" * 32)
OTHER = replace(FIRST, scope="deployment:gateway", commitment="ef" * 32)


def test_a_commitment_that_is_entered_again_keeps_its_first_moment(store: Store) -> None:
    record_policy(store, "d1", "rules: []\n", 1, "ann")
    first = enter_commitment(store, FIRST, 2, "ann")
    before = version(store)
    assert enter_commitment(store, replace(FIRST, begins=7), 3, "bob") == first
    assert (first.index, first.at, first.by, version(store)) == (1, 2, "ann", before)
    assert audit(store).faults == ()


def test_the_commitments_of_a_scope_are_read_in_their_order(store: Store) -> None:
    assert committed(store, METHOD) == frozenset()
    entered = [enter_commitment(store, each, at, "ann") for at, each in enumerate((FIRST, OTHER, NEXT))]
    assert read_commitments(store) == entered
    assert read_commitments(store, "campaign:c-1") == [entered[0], entered[2]]
    assert committed(store, METHOD) == {each.commitment for each in (FIRST, OTHER, NEXT)}
    assert find_commitment(entered, NEXT.commitment, METHOD) == entered[2]
    assert find_commitment(entered, "00" * 32, METHOD) is None


def test_a_key_that_is_bound_to_other_rules_is_not_bound_to_these(file_store: Store) -> None:
    enter_commitment(file_store, FIRST, 1, "ann")
    other = {"plan": "twins 2"}
    assert committed(file_store, other) == frozenset()
    later = enter_commitment(file_store, replace(FIRST, method=other), 2, "ann")
    assert (later.index, later.at, committed(file_store, other)) == (1, 2, frozenset({FIRST.commitment}))


def test_who_polls_the_database_hears_of_a_commitment(file_store: Store) -> None:
    before = version(file_store)
    enter_commitment(file_store, FIRST, 1, "ann")
    assert version(file_store) > before


def test_what_has_no_name_is_refused(file_store: Store) -> None:
    with pytest.raises(UsageError, match="an id must have"):
        enter_commitment(file_store, replace(FIRST, scope=""), 1, "ann")
    assert read_commitments(file_store) == []
