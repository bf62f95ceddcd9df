"""An action waits for a person where it must, ends by itself, and what a person took back stays taken back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from stillwatch.actions.decision import ActionKind
from stillwatch.model import UsageError
from stillwatch.store.acts import approve_action, propose_action, reverse_action
from stillwatch.store.acts_read import Proposal, Scope, Status, acts_in_force, acts_withdrawn, find_action, list_actions
from stillwatch.store.audit import audit
from stillwatch.store.database import Store, reading, version
from stillwatch.store.ledger import entries
from stillwatch.store.log import lines, size

ASKED = Proposal(
    Scope.CAMPAIGN,
    "cmp-1",
    ActionKind.LIMIT,
    "distillation",
    1_000,
    rule="known-campaign",
    parameters={"requests": 100, "seconds": 60},
)
AT_ONCE = dataclasses.replace(ASKED, needs_approval=False)


def test_a_proposal_waits_for_a_person(store: Store) -> None:
    asked = propose_action(store, ASKED, 1, "policy")
    assert (asked.status, asked.subject_id, asked.parameters) == (Status.PROPOSED, "cmp-1", ASKED.parameters)
    assert acts_in_force(store, 2) == []
    approved = approve_action(store, asked.action_id, 3, "ann")
    assert (approved.status, approved.approved_by, approved.approved_at) == (Status.APPROVED, "ann", 3)
    assert acts_in_force(store, 4) == [approved] == [find_action(store, asked.action_id, 4)]
    assert audit(store).faults == ()


def test_an_action_without_approval_is_in_force_at_once(store: Store) -> None:
    asked = propose_action(store, AT_ONCE, 1, "policy")
    assert asked.status is Status.ACTIVE
    assert acts_in_force(store, 2) == [asked]


def test_an_action_ends_by_itself(store: Store) -> None:
    asked = propose_action(store, AT_ONCE, 1, "policy")
    assert acts_in_force(store, 999) == [asked]
    assert acts_in_force(store, 1_000) == []
    assert find_action(store, asked.action_id, 1_000).status is Status.EXPIRED
    for act in (approve_action, reverse_action):
        with pytest.raises(UsageError, match="is expired"):
            act(store, asked.action_id, 1_000, "ann")


def test_a_proposal_that_nobody_answered_can_be_approved_no_longer(store: Store) -> None:
    asked = propose_action(store, ASKED, 1, "policy")
    with pytest.raises(UsageError, match="is expired; only a proposed action can be approved"):
        approve_action(store, asked.action_id, 1_000, "ann")


def test_a_reversal_takes_effect_and_keeps_its_because(store: Store) -> None:
    asked = propose_action(store, AT_ONCE, 1, "policy")
    taken_back = reverse_action(store, asked.action_id, 5, "bob", "a licence was found")
    assert (taken_back.status, taken_back.reversed_by) == (Status.REVERSED, "bob")
    assert acts_in_force(store, 6) == []
    assert acts_withdrawn(store, 6) == [taken_back]
    with reading(store) as connection:
        *_, last = lines(connection)
    assert (last.entry.by, last.entry.content) == ("bob", entries.Reversal(asked.action_id, "a licence was found"))
    with pytest.raises(UsageError, match="is reversed; only an action that is open"):
        reverse_action(store, asked.action_id, 7, "bob")
    assert audit(store).faults == ()


def test_the_same_action_may_be_asked_for_every_minute(store: Store) -> None:
    first = propose_action(store, ASKED, 1, "policy")
    before = version(store)
    later = dataclasses.replace(ASKED, expires_at=2_000)
    assert propose_action(store, later, 2, "policy") == first
    assert version(store) == before
    assert len(list_actions(store, 3)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"subject_id": "cmp-2"},
        {"scope": Scope.ACCOUNT},
        {"kind": ActionKind.SUSPEND},
        {"reason": "another"},
        {"rule": "another"},
        {"parameters": {"requests": 99, "seconds": 60}},
    ],
)
def test_another_action_is_another(file_store: Store, change: dict[str, Any]) -> None:
    first = propose_action(file_store, ASKED, 1, "policy")
    second = propose_action(file_store, dataclasses.replace(ASKED, **change), 2, "policy")
    assert second.action_id != first.action_id


def test_no_rule_brings_back_what_a_person_took_back(store: Store) -> None:
    first = propose_action(store, AT_ONCE, 1, "policy")
    taken_back = reverse_action(store, first.action_id, 5, "bob")
    assert propose_action(store, AT_ONCE, 6, "policy") == taken_back  # it was answered
    harder = dataclasses.replace(AT_ONCE, parameters={"requests": 1, "seconds": 60})
    assert propose_action(store, harder, 7, "policy").status is Status.PROPOSED
    later = dataclasses.replace(AT_ONCE, expires_at=9_000)
    again = propose_action(store, later, 5_000, "policy")  # long after the first would have ended
    assert again.status is Status.PROPOSED
    assert acts_in_force(store, 5_001) == []


def test_a_person_may_change_their_mind(store: Store) -> None:
    first = propose_action(store, AT_ONCE, 1, "policy")
    reverse_action(store, first.action_id, 5, "bob")
    asked = propose_action(store, dataclasses.replace(AT_ONCE, rule=""), 6, "bob")
    assert asked.status is Status.PROPOSED
    approve_action(store, asked.action_id, 7, "ann")
    assert propose_action(store, dataclasses.replace(AT_ONCE, reason="new"), 8, "policy").status is Status.ACTIVE


def test_actions_are_listed_by_what_they_are_now_and_whom_they_are_about(store: Store) -> None:
    waits = propose_action(store, ASKED, 1, "policy")
    holds = propose_action(store, dataclasses.replace(AT_ONCE, subject_id="cmp-2", expires_at=50), 2, "policy")
    assert list_actions(store, 3) == [waits, holds]
    assert list_actions(store, 3, status=Status.PROPOSED) == [waits]
    assert list_actions(store, 3, subject="cmp-2") == [holds]
    assert [each.action_id for each in list_actions(store, 60, status=Status.EXPIRED)] == [holds.action_id]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expires_at": 1}, "must expire later"),
        ({"reason": ""}, "needs a reason code"),
        ({"parameters": {"share": 0.5}}, "cannot stand in the ledger"),
        ({"subject_id": ""}, "an id must have"),
    ],
)
def test_an_action_that_cannot_be_explained_or_would_not_end_is_refused(
    file_store: Store, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        propose_action(file_store, dataclasses.replace(ASKED, **change), 1, "policy")
    with reading(file_store) as connection:
        assert size(connection) == 0
    assert list_actions(file_store, 2) == []


@pytest.mark.parametrize("name", ["", "  ", "a\nb"])
def test_approval_and_reversal_need_a_name(file_store: Store, name: str) -> None:
    asked = propose_action(file_store, ASKED, 1, "policy")
    for act in (approve_action, reverse_action):
        with pytest.raises(UsageError, match="name of a person"):
            act(file_store, asked.action_id, 2, name)


def test_an_action_that_is_not_there_is_refused_in_words(file_store: Store) -> None:
    with pytest.raises(UsageError, match="act-7: no such action"):
        approve_action(file_store, "act-7", 2, "ann")
    with pytest.raises(UsageError, match="act-7: no such action"):
        find_action(file_store, "act-7", 2)
