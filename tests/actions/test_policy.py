"""The only thresholds: stricter verdicts ask for more, and what is recommended can be taken back."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from stillwatch.actions.policy import Policy
from stillwatch.model import VerdictKind

MILDEST_FIRST = (VerdictKind.WATCH, VerdictKind.SUSPECT, VerdictKind.DISTILLATION)


def test_every_verdict_but_clear_has_its_bars():
    assert set(Policy().bars) == set(VerdictKind) - {VerdictKind.CLEAR}


@pytest.mark.parametrize(("milder", "stricter"), list(pairwise(MILDEST_FIRST)))
def test_a_stricter_verdict_asks_for_at_least_as_much_of_everything(milder, stricter):
    low, high = (dataclasses.asdict(Policy().bars[kind]) for kind in (milder, stricter))
    assert all((low[name] or 0) <= (high[name] or 0) for name in low)
    assert low != high


def test_distillation_needs_all_three_axes_two_families_and_two_ties_a_member():
    bars = Policy().bars[VerdictKind.DISTILLATION]
    assert min(bars.coordination, bars.extraction, bars.deception, bars.beyond_content, bars.member_bits) > 0
    assert bars.families >= 2
    assert bars.member_families >= 2


def test_a_pair_of_accounts_is_never_a_verdict():
    assert all(bars.accounts >= 3 for bars in Policy().bars.values())


def test_every_verdict_has_a_recommendation_and_clear_has_none():
    policy = Policy()
    assert all(policy.recommend(kind) for kind in MILDEST_FIRST)
    assert policy.recommend(VerdictKind.CLEAR) == ()


def test_the_gravest_verdict_still_asks_a_person_first():
    assert "approve" in Policy().recommend(VerdictKind.DISTILLATION)[0]


def test_nothing_recommended_bans_or_alters_answers():
    words = " ".join(text.lower() for kind in VerdictKind for text in Policy().recommend(kind)).split()
    assert not {"ban", "terminate", "delete", "poison", "degrade"} & {word.strip(".,;") for word in words}


def test_milder_verdicts_limit_nobody():
    for kind in (VerdictKind.WATCH, VerdictKind.SUSPECT):
        assert not any("budget" in text or "verification" in text for text in Policy().recommend(kind))


def test_thresholds_of_one_deployment_do_not_leak_into_another():
    mine = Policy()
    mine.bars[VerdictKind.WATCH] = dataclasses.replace(mine.bars[VerdictKind.WATCH], coordination=99.0)
    assert Policy().bars[VerdictKind.WATCH].coordination < 99.0


def test_says_where_its_calibration_comes_from():
    assert Policy().calibration.source
