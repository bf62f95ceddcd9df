"""What partners say raises a case that stands on evidence of one's own, and makes none."""

from __future__ import annotations

import pytest

from stillwatch.actions.policy import BARS
from stillwatch.campaigns.weigh import CEILING
from stillwatch.model import Family, VerdictKind
from tests.campaigns.evidence import ATTACK, RING, C, said, weighed, without
from tests.signals.build import group

TOLD = said(C, Family.REPORTED, 100.0, name="reported-by-partners")


def small(exchanges: int):
    """The ring with so many exchanges in all."""
    return group(RING, exchanges=[exchanges - 29, *[1] * 29])


def test_alone_it_gives_no_verdict():
    found = weighed((*(pair for pair in ATTACK if pair[0].axis is not C), TOLD))
    assert found.verdict is VerdictKind.CLEAR
    assert found.families == 0
    assert not found.tied.any()


@pytest.mark.parametrize("family", [family for family in Family if family is not Family.REPORTED])
def test_with_one_other_family_it_gives_no_verdict(family):
    rest = [pair for pair in ATTACK if pair[0].axis is not C]
    assert weighed((*rest, said(C, family, 9.0, 9.0, "one"), TOLD)).verdict is VerdictKind.CLEAR


def test_it_adds_no_more_than_its_ceiling_and_nothing_beyond_content():
    own, more = weighed(ATTACK), weighed((*ATTACK, TOLD))
    assert more.bits[C] - own.bits[C] <= CEILING[Family.REPORTED]
    assert (more.beyond_content, more.families) == (own.beyond_content, own.families)
    assert (more.tied == own.tied).all()


def test_p_is_of_ones_own_evidence():
    assert weighed((*ATTACK, TOLD)).p == weighed(ATTACK).p


def test_a_part_of_a_campaign_may_be_smaller_than_the_whole():
    bar = BARS[VerdictKind.DISTILLATION]
    between = small(bar.exchanges - 1)
    assert weighed(ATTACK, between).verdict is VerdictKind.SUSPECT
    assert weighed((*ATTACK, TOLD), between).verdict is VerdictKind.DISTILLATION
    weak = said(C, Family.REPORTED, 0.9, name="reported-by-partners")
    assert weighed((*ATTACK, weak), between).verdict is VerdictKind.SUSPECT
    assert weighed((*ATTACK, TOLD), small(bar.exchanges_elsewhere - 1)).verdict is not VerdictKind.DISTILLATION


def test_what_is_too_weak_in_itself_stays_so_however_much_is_told():
    assert weighed((*without("shared-payment", "shared-address"), TOLD)).verdict is VerdictKind.CLEAR
