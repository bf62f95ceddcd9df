"""Answers add up as shown; copies count once; time, distance and doubt take away."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sharing.admiralty import RELIABILITY
from stillwatch.sharing.consensus.answers import Answer, Stance
from stillwatch.sharing.consensus.arithmetic import add_up
from stillwatch.sharing.consensus.rules import Rules

RULES = Rules()
YES = Answer("north", "funding", Stance.CONFIRMS, matches=6, reliability="A")

answers = st.builds(
    Answer,
    st.sampled_from(["north", "south", "east"]),
    st.sampled_from(["funding", "infrastructure", "rumour"]),
    st.sampled_from(list(Stance)),
    st.integers(0, 50),
    st.sampled_from("ABCDEFX"),
    st.floats(0, 400),
    st.sampled_from(["", "north", "south"]),
)


def test_the_sum_is_its_terms_and_each_term_its_factors() -> None:
    told = add_up(0.5, [YES, replace(YES, organisation="south", reliability="C", age_days=60.0)])
    assert [term.bits for term in told.terms] == [pytest.approx(4.5), pytest.approx(4.5 * 0.5 * 0.5)]
    assert told.reported == pytest.approx(5.625)
    assert told.p == pytest.approx(1 / (1 + 2**-5.625))


@given(st.lists(answers, max_size=8), st.floats(0, 1))
def test_whatever_is_said_the_arithmetic_holds_and_the_order_does_not_matter(said: list[Answer], p: float) -> None:
    told = add_up(p, said)
    for term in told.terms:
        assert term.bits == pytest.approx(term.llr * term.reliability * term.independence * term.decay)
    assert told.reported == pytest.approx(max(-6.0, min(6.0, sum(term.bits for term in told.terms))))
    assert log2(told.p / (1 - told.p)) == pytest.approx(told.prior + told.reported, abs=1e-6)
    assert add_up(p, said[::-1]).reported == pytest.approx(told.reported)


def test_two_who_copied_each_other_count_once() -> None:
    copy = replace(YES, organisation="south", origin="north")
    alone, both = add_up(0.5, [YES]), add_up(0.5, [YES, copy])
    assert both.reported == alone.reported
    assert both.confirming == ("north",)
    assert both.terms[1].because == "north said so already; one source counts once"
    assert add_up(0.5, [YES, replace(copy, origin="")]).reported > alone.reported


def test_an_organisation_counts_once_in_a_family_and_again_in_another() -> None:
    assert add_up(0.5, [YES, replace(YES, matches=5)]).reported == add_up(0.5, [YES]).reported
    other = replace(YES, family="infrastructure")
    assert add_up(0.5, [YES, other]).reported > add_up(0.5, [YES]).reported


def test_the_first_credibility_needs_two_independent_organisations_and_no_dispute() -> None:
    second = replace(YES, organisation="south")
    assert add_up(0.9, [YES]).credibility == 2
    assert add_up(0.9, [YES, replace(second, origin="north")]).credibility == 2
    assert add_up(0.9, [YES, second]).credibility == 1
    disputed = add_up(0.99, [YES, second, Answer("east", "funding", Stance.DISPUTES, reliability="D")])
    assert (disputed.credibility, disputed.disputed, disputed.disputing) == (2, True, ("east",))


def test_nobody_s_answer_leaves_the_prior_as_it_was() -> None:
    told = add_up(0.3, [])
    assert (told.p, told.reported, told.credibility) == (pytest.approx(0.3), 0.0, 6)


@pytest.mark.parametrize(
    ("answer", "because"),
    [
        (replace(YES, matches=1), "below 2 it may be coincidence"),
        (replace(YES, stance=Stance.SILENT), "says nothing"),
        (replace(YES, age_days=180.0), "expired after 180"),
        (replace(YES, family="rumour"), "no family that is weighed"),
    ],
)
def test_what_counts_nothing_says_why(answer: Answer, because: str) -> None:
    (term,) = add_up(0.5, [answer]).terms
    assert term.bits == 0.0
    assert because in term.because


def test_an_answer_fades_by_half_with_each_half_life() -> None:
    fresh, old = add_up(0.5, [YES]), add_up(0.5, [replace(YES, age_days=60.0)])
    assert old.reported == pytest.approx(fresh.reported / 2)


def test_a_source_that_is_known_to_lie_adds_nothing() -> None:
    assert add_up(0.5, [replace(YES, reliability="E")]).reported == 0.0
    weights = [add_up(0.5, [replace(YES, reliability=letter)]).reported for letter in "ABCFD"]
    assert weights == sorted(weights, reverse=True)
    assert RULES.reliability == RELIABILITY


def test_more_matches_say_more_and_never_more_than_the_most() -> None:
    bits = [add_up(0.5, [replace(YES, matches=count)]).reported for count in range(2, 400, 9)]
    assert bits == sorted(bits)
    assert bits[-1] < RULES.families["funding"].most
