"""A verdict needs all three axes and more than one family; one soft edge accuses nobody."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stillwatch.campaigns.weigh import CEILING, add_up, findings_of
from stillwatch.model import Axis, Family, VerdictKind
from stillwatch.signals.base import Finding, Signal
from stillwatch.signals.roster import ROSTER
from tests.campaigns.evidence import ATTACK, RING, C, D, E, ring, said, weighed, without
from tests.signals.build import among, group, same
from tests.signals.scenes import SCENES

ASK_ALL = float("-inf")


def test_an_attack_on_all_three_axes_is_distillation():
    found = weighed(ATTACK)
    assert found.verdict is VerdictKind.DISTILLATION
    assert found.tied.all()
    assert found.p > 0.5


@pytest.mark.parametrize("axis", list(Axis))
def test_without_one_axis_there_is_no_verdict(axis):
    two = tuple((signal, finding) for signal, finding in ATTACK if signal.axis is not axis)
    assert weighed(two).verdict is VerdictKind.CLEAR


@pytest.mark.parametrize("axis", list(Axis))
def test_any_amount_on_two_axes_does_not_make_up_for_the_third(axis):
    two = tuple((signal, finding) for signal, finding in ATTACK if signal.axis is not axis)
    more = [
        said(other, family, 100.0, 100.0, f"{other}-{family}")
        for other in Axis
        if other is not axis
        for family in Family
    ]
    assert weighed((*two, *more)).verdict is VerdictKind.CLEAR


def test_one_family_of_coordination_is_not_enough():
    alone = (*without("shared-address", "template-co-use"), said(C, Family.IDENTITY, 9.0, 9.0, "shared-phone"))
    found = weighed(alone)
    assert found.families == 1
    assert found.verdict is VerdictKind.CLEAR
    assert found.p < weighed(ATTACK).p


def test_content_alone_does_not_coordinate():
    content = [said(C, Family.CONTENT, 50.0, 50.0, "a"), said(C, Family.CONTENT, 50.0, 50.0, "b")]
    assert weighed((*without("shared-payment", "shared-address"), *content)).verdict is VerdictKind.CLEAR


def test_signals_of_one_family_add_less_than_their_sum():
    one, both = ATTACK[:1], (*ATTACK[:1], said(C, Family.IDENTITY, 1.0, name="other"))
    gain = add_up(both, C)[0] - add_up(one, C)[0]
    assert 0 < gain < 1.0


def test_signals_of_different_families_add_up():
    assert add_up(ATTACK[:2], C)[0] == pytest.approx(add_up(ATTACK[:1], C)[0] + add_up(ATTACK[1:2], C)[0])


@pytest.mark.parametrize("family", list(Family))
def test_a_family_has_a_ceiling(family):
    many = [said(C, family, 50.0, name=f"s{at}") for at in range(5)]
    assert add_up(many, C)[0] == CEILING[family]


def test_what_speaks_for_innocence_is_not_capped_by_what_speaks_against_it():
    loud = [said(D, Family.IDENTITY, 50.0, name="a"), said(D, Family.IDENTITY, -20.0, name="licence")]
    assert add_up(loud, D)[0] == pytest.approx(CEILING[Family.IDENTITY] - 20.0)


def test_a_licence_ends_the_matter():
    assert weighed((*ATTACK, said(D, Family.IDENTITY, -20.0, name="licence"))).verdict is VerdictKind.CLEAR


def test_order_of_findings_has_no_effect():
    first, last = weighed(ATTACK), weighed(ATTACK[::-1])
    assert (first.verdict, first.families, first.bits) == (last.verdict, last.families, last.bits)
    assert first.p == pytest.approx(last.p)
    assert np.array_equal(first.tied, last.tied)


def test_more_evidence_never_lowers_the_probability():
    said_so_far = [weighed(ATTACK[:count]).p for count in range(len(ATTACK) + 1)]
    assert said_so_far == sorted(said_so_far)
    assert all(0.0 <= p <= 1.0 for p in said_so_far)


def test_what_speaks_for_innocence_lowers_the_probability():
    assert weighed((*ATTACK, said(E, Family.USAGE, -4.0, name="natural-multi-turn"))).p < weighed(ATTACK).p


def test_one_soft_edge_never_accuses_a_member():
    """The last member shares the template and nothing else."""
    ties = [6.0] * 29 + [0.0]
    findings = (
        *without("shared-payment", "shared-address"),
        said(C, Family.IDENTITY, 6.0, ties, "shared-payment"),
        said(C, Family.INFRASTRUCTURE, 5.0, ties, "shared-address"),
    )
    found = weighed(findings)
    assert found.verdict is VerdictKind.DISTILLATION
    assert found.tied.tolist() == [True] * 29 + [False]
    assert found.member_p[-1] < found.member_p[0]


def test_several_ties_of_one_family_are_still_one_edge():
    soft = [0.0] * 30
    soft[-1] = 6.0
    rest = [6.0] * 29 + [0.0]
    findings = (
        *without("shared-payment", "shared-address", "template-co-use"),
        said(C, Family.IDENTITY, 6.0, 6.0, "shared-payment"),
        said(C, Family.IDENTITY, 6.0, soft, "shared-phone"),
        said(C, Family.INFRASTRUCTURE, 5.0, rest, "shared-address"),
    )
    assert not weighed(findings).tied[-1]


def test_what_a_member_asks_does_not_make_up_for_a_faint_tie():
    faint = said(C, Family.TIMING, 6.0, [6.0] * 29 + [1.0], "evenness")
    findings = (*without("shared-payment", "shared-address"), faint)
    found = weighed(findings)
    assert found.tied.tolist() == [True] * 29 + [False]


def test_coordination_must_reach_beyond_content_although_two_families_speak():
    faint = said(C, Family.TIMING, 2.0, 6.0, "evenness")
    loud = said(C, Family.CONTENT, 8.0, 8.0, "shared-system-prompt")
    found = weighed((*without("shared-payment", "shared-address"), faint, loud))
    assert found.families >= 2
    assert found.verdict in (VerdictKind.WATCH, VerdictKind.CLEAR)


def test_a_member_that_nothing_ties_is_not_tied_by_being_there():
    findings = (*ATTACK[3:], said(C, Family.IDENTITY, 6.0, name="a"), said(C, Family.INFRASTRUCTURE, 5.0, name="b"))
    found = weighed(findings)
    assert not found.tied.any()
    assert found.verdict is VerdictKind.CLEAR


def test_members_within_a_licence_are_not_tied_and_those_who_break_it_are():
    sketch = ring()
    licensed = weighed(ATTACK, sketch, among(sketch, licensed=RING[:10]))
    assert licensed.tied.tolist() == [False] * 10 + [True] * 20
    broken = weighed(ATTACK, sketch, among(sketch, breaks_licence=RING[:10]))
    assert broken.tied.all()


def test_a_handful_of_accounts_is_trusted_less_than_many():
    few = group(RING[:3], exchanges=200)
    findings = [
        (signal, type(f)(f.bits, f.because, f.cites, None if f.members is None else f.members[:3]))
        for signal, f in ATTACK
    ]
    found = weighed(findings, few)
    assert found.bits[Axis.COORDINATION] < weighed(ATTACK).bits[Axis.COORDINATION]
    assert found.verdict is not VerdictKind.DISTILLATION


def test_silence_on_everything_is_clear():
    found = weighed(())
    assert found.verdict is VerdictKind.CLEAR
    assert not found.tied.any()
    assert found.p < 0.5


def test_silent_signals_and_signals_without_their_columns_leave_nothing():
    sketch, population = SCENES["strangers"]()
    asked: list[str] = []

    def never(group, population):
        asked.append("never")

    roster = (
        Signal("silent", C, Family.TIMING, (), "Look.", lambda group, population: None),
        Signal("blind", C, Family.TIMING, ("no_such_column",), "Look.", never),
    )
    assert findings_of(sketch, population, roster, ASK_ALL) == ()
    assert not asked


def test_a_group_that_nothing_coordinates_is_not_asked_about_the_other_axes():
    sketch, population = SCENES["strangers"]()
    roster = tuple(
        Signal(f"says-{axis}", axis, Family.TIMING, (), "Look.", lambda group, population: Finding(1.0, "1 of 1"))
        for axis in (D, C, E)
    )
    assert [signal.axis for signal, _ in findings_of(sketch, population, roster, 2.0)] == [C]
    assert [signal.axis for signal, _ in findings_of(sketch, population, roster, 0.5)] == [D, C, E]


def test_the_ring_of_the_scenes_is_found_and_its_innocents_are_not():
    verdicts = {
        name: weighed(findings_of(*SCENES[name](), ROSTER, ASK_ALL), *SCENES[name]()).verdict
        for name in ("ring", "course", "companies", "strangers", "nothing_known", "whole_population")
    }
    assert verdicts.pop("ring") is VerdictKind.DISTILLATION
    assert set(verdicts.values()) == {VerdictKind.CLEAR}


def test_colleagues_whose_template_an_attacker_copied_are_not_tied_by_office_hours():
    office = (
        said(C, Family.TIMING, 4.0, 4.0, "joint-onset"),
        said(C, Family.CONTENT, 4.0, 4.0, "template-co-use"),
        said(C, Family.IDENTITY, 6.0, [0.0] * 6 + [6.0] * 24, "shared-payment"),
    )
    sketch = ring()
    framed = dict.fromkeys(list(RING)[:6], "customer") | same(list(RING)[6:], None)
    tied = weighed(office, sketch, among(sketch, org_id=framed)).tied
    assert not tied[:6].any()
    assert tied[6:].all()


def test_a_fitted_weight_scales_what_accuses_and_not_what_speaks_for_innocence():
    accuses, _ = said(C, Family.IDENTITY, 4.0)
    loud = dataclasses.replace(accuses, name="loud", judge=lambda group, population: Finding(4.0, "for"))
    calm = dataclasses.replace(accuses, name="calm", judge=lambda group, population: Finding(-4.0, "against"))
    sketch = ring()
    found = findings_of(sketch, among(sketch), (loud, calm), ASK_ALL, {"loud": 0.5, "calm": 0.5})
    assert [finding.bits for _, finding in found] == [2.0, -4.0]


def test_an_account_with_another_life_on_another_client_is_tied_only_by_who_it_is():
    stolen = list(RING)[:10]
    ties = [0.0] * 10 + [6.0] * 20
    findings = (
        said(C, Family.IDENTITY, 6.0, ties, "shared-payment"),
        said(C, Family.INFRASTRUCTURE, 5.0, 5.0, "shared-address"),
        said(C, Family.CONTENT, 4.0, 4.0, "template-co-use"),
    )
    sketch = ring()
    busy = among(sketch, exchanges=same(stolen, 400) | same(list(RING)[10:], 4_000), stacks=same(RING, 2))
    tied = weighed(findings, sketch, busy).tied
    assert not tied[:10].any()
    assert tied[10:].all()


def test_where_declarations_are_unknown_what_speaks_for_openness_still_does():
    sketch = ring()
    unknown = among(sketch, absent=["org_id"])
    open_crowd = (*without("undeclared-relation", "stack-mismatch"), said(D, Family.TIMING, -2.0, name="event-crowd"))
    hiding = without("undeclared-relation", "stack-mismatch")
    assert weighed(hiding, sketch, unknown).verdict is VerdictKind.SUSPECT
    assert weighed(open_crowd, sketch, unknown).verdict is VerdictKind.CLEAR
