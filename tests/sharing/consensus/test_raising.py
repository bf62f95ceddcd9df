"""Answers carry a verdict one step, never two, and never from nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model import Axis, VerdictKind
from stillwatch.sharing.consensus.answers import Answer, Stance
from stillwatch.sharing.consensus.raising import corroborated
from tests.sharing.consensus.test_arithmetic import answers

CASE = {Axis.COORDINATION: 4.6, Axis.EXTRACTION: 3.1, Axis.DECEPTION: 2.1}
CERTAIN = [
    Answer(name, family, Stance.CONFIRMS, 900, "A")
    for name in ("north", "south")
    for family in ("funding", "infrastructure")
]
ORDER = list(VerdictKind)


@given(st.sampled_from(ORDER), st.lists(answers, max_size=9))
def test_no_answer_moves_a_verdict_by_more_than_one_step_or_down(verdict: VerdictKind, said: list[Answer]) -> None:
    told = corroborated(verdict, CASE, said)
    assert 0 <= ORDER.index(told.after) - ORDER.index(verdict) <= 1


def test_certainty_elsewhere_accuses_nobody_whom_the_own_log_clears() -> None:
    told = corroborated(VerdictKind.CLEAR, CASE, CERTAIN)
    assert told.after is VerdictKind.CLEAR
    assert "accuses nobody alone" in told.because


def test_distillation_is_reached_from_an_own_suspect_only() -> None:
    assert corroborated(VerdictKind.WATCH, CASE, CERTAIN).after is VerdictKind.SUSPECT
    assert corroborated(VerdictKind.SUSPECT, CASE, CERTAIN).after is VerdictKind.DISTILLATION


@pytest.mark.parametrize("axis", Axis)
def test_what_the_own_log_does_not_show_others_cannot_say(axis: Axis) -> None:
    told = corroborated(VerdictKind.SUSPECT, CASE | {axis: 0.0}, CERTAIN)
    assert not told.raised
    assert axis.value in told.because


def test_one_family_of_one_source_is_not_enough_for_distillation() -> None:
    assert not corroborated(VerdictKind.SUSPECT, CASE, CERTAIN[:1]).raised
    assert corroborated(VerdictKind.SUSPECT, CASE, CERTAIN[:2]).raised
    assert corroborated(VerdictKind.SUSPECT, CASE, CERTAIN[::2]).raised
    assert not corroborated(
        VerdictKind.SUSPECT, CASE, [CERTAIN[0], Answer("south", "funding", Stance.CONFIRMS, 900, "A", origin="north")]
    ).raised


def test_a_dispute_holds_distillation_back_and_stays_visible() -> None:
    told = corroborated(
        VerdictKind.SUSPECT, CASE, [*CERTAIN, Answer("east", "funding", Stance.DISPUTES, reliability="D")]
    )
    assert not told.raised
    assert told.confidence.disputing == ("east",)
    assert "east says otherwise" in told.because


def test_a_few_coincidences_raise_nothing() -> None:
    said = [
        Answer("north", "funding", Stance.CONFIRMS, 1, "A"),
        Answer("north", "infrastructure", Stance.CONFIRMS, 2, "A"),
    ]
    assert not corroborated(VerdictKind.WATCH, CASE, said).raised


def test_a_network_in_common_is_what_a_school_shares_and_raises_nothing() -> None:
    said = [Answer(name, "infrastructure", Stance.CONFIRMS, 900, "A") for name in ("north", "south")]
    told = corroborated(VerdictKind.WATCH, CASE, said)
    assert not told.raised
    assert "neighbours" in told.because
