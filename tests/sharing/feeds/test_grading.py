"""Bits by who says so, how sure, how long ago, and how many saw it themselves."""

from __future__ import annotations

import pytest

from stillwatch.sharing.feeds.grading import SAYS, credibility_of, grade, independent, root
from stillwatch.sharing.feeds.words import DAY_US
from tests.sharing.feeds.made import NOW, OTHER, known, told


def bits(*claims, at=NOW, **partners) -> float:
    found = grade("template", claims, known(**(partners or {"a": "B", "b": "B"})), at)
    return 0.0 if found is None else found.bits


def test_reliability_times_credibility_times_what_a_kind_says() -> None:
    assert bits(told()) == pytest.approx(SAYS["template"] * 0.8 * 0.8)
    assert bits(told(confidence=50), a="A") == pytest.approx(SAYS["template"] * 1.0 * 0.5)
    assert bits(told(), a="E") == 0.0


def test_confirmed_needs_a_second_who_saw_it() -> None:
    assert bits(told(confidence=95), a="A") == pytest.approx(SAYS["template"] * 0.8)


def test_it_fades_to_nothing_at_its_end() -> None:
    whole = bits(told())
    assert bits(told(), at=NOW + 5 * DAY_US) == pytest.approx(whole / 2)
    assert bits(told(), at=NOW + 10 * DAY_US) == 0.0
    assert bits(told(), at=NOW - 1) == 0.0


def test_what_is_revoked_says_nothing() -> None:
    assert bits(told(revoked=True)) == 0.0


def test_two_who_saw_it_themselves_say_more_than_one() -> None:
    two = bits(told("a"), told("b", 2, origin=OTHER))
    assert bits(told("a")) < two <= SAYS["template"]


def test_two_who_copied_each_other_count_once() -> None:
    assert bits(told("a"), told("b", 2)) == bits(told("a"))


def test_a_copy_without_origin_adds_nothing_to_what_is_known_first_hand() -> None:
    assert bits(told("a"), told("b", 2, origin="")) == bits(told("a"))
    assert bits(told("a", origin=""), told("b", 2, origin="")) == bits(told("a", origin=""))


def test_one_partner_under_many_names_counts_once() -> None:
    many = [told("a", number, origin=f"identity--{number}") for number in range(50)]
    assert len(independent(many, known(a="B"))) == 1
    assert bits(*many) == bits(told("a"))


@pytest.mark.parametrize(
    ("confidence", "expected"), [(None, 6), (100, 1), (80, 1), (79, 2), (60, 2), (40, 3), (20, 4), (19, 5), (0, 5)]
)
def test_confidence_becomes_credibility(confidence: int | None, expected: int) -> None:
    assert credibility_of(confidence) == expected


def test_a_ring_of_copies_ends_and_has_one_origin() -> None:
    ring = {"x": "y", "y": "z", "z": "x"}
    assert {root(name, ring) for name in ring} == {"x"}
    assert root("far", {"far": "near", "near": "first"}) == "first"
    assert root("0", {str(at): str(at + 1) for at in range(10_000)})
