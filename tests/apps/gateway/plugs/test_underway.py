"""Exchanges between decision and outcome: bounded, and none of them lost in silence."""

from __future__ import annotations

import pytest

from stillwatch.apps.gateway.plugs.underway import Bounds, Underway
from stillwatch.apps.gateway.seams import Arrival, Outcome, RecordingFailed
from tests.apps.gateway.plugs.table import Kept, Rules


def arrival(name: str, prompt: str = "What is a fjord?") -> Arrival:
    return Arrival(name, 0, "plain", "openai", "responses", prompt=prompt)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("bounds", [Bounds(most=2), Bounds(characters=40)])
def test_the_oldest_of_too_many_is_kept_as_not_reported(bounds: Bounds) -> None:
    kept = Kept()
    underway = Underway(Rules(), kept, bounds)
    for name in ("a", "b", "c", "d"):
        underway.decide(arrival(name))
    assert [(row[0].exchange_id, row[2].status) for row in kept.rows] == [("a", 0)]
    assert len(underway) == 3  # the next look takes the next
    assert underway.counts["unreported"] == 1


def test_what_nobody_reports_is_kept_when_patience_ends() -> None:
    kept, clock = Kept(), Clock()
    underway = Underway(Rules(), kept, Bounds(patience=10), clock)
    underway.decide(arrival("a"))
    clock.now = 9.0
    underway.expire()
    assert kept.rows == []
    clock.now = 11.0
    underway.expire()
    assert [row[2] for row in kept.rows] == [Outcome(0)]
    assert underway.has_ended("a")


def test_an_id_that_another_account_uses_gets_its_own_decision() -> None:
    rules = Rules()
    underway = Underway(rules, Kept())
    underway.decide(arrival("a"))
    stolen = Arrival("a", 0, "suspended", "openai", "responses")
    assert underway.decide(stolen).effect.refused


def test_what_cannot_be_kept_still_counts_for_its_account() -> None:
    rules, kept = Rules(), Kept()
    underway = Underway(rules, kept)
    underway.decide(arrival("a"))
    kept.failing = RecordingFailed("disk full")
    underway.close()
    assert [row[0].exchange_id for row in rules.settled] == ["a"]
    assert underway.counts["unkept"] == 1


def test_ids_that_ended_are_remembered_up_to_a_bound() -> None:
    underway = Underway(Rules(), Kept(), Bounds(remembered=2))
    for name in ("a", "b", "c"):
        underway.decide(arrival(name))
        underway.end(name, Outcome(200))
    assert [underway.has_ended(name) for name in ("a", "b", "c")] == [False, True, True]
