"""A rare client on one network ties accounts, a popular client ties nobody."""

from __future__ import annotations

from stillwatch.signals.shared_stack import shared_stack
from tests.signals.build import FAINT, SIZE, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
FEW = [[f"ja4-odd|6499{at}"] for at in range(5)]


def test_fires_on_accounts_with_one_uncommon_client():
    ring = group(RING)
    population = among(ring, stack_asn=dealt(RING, FEW))
    found = shared_stack(ring, population)
    assert fires(found, ring, population)
    assert "30 of 30" in found.because


def test_ties_only_the_members_that_share():
    ring = group(RING)
    sharing = [account for account in RING if account < 300]
    found = shared_stack(ring, among(ring, stack_asn=dealt(sharing, FEW)))
    assert found.members[:15].min() > 1.0 > found.members[15:].max()


def test_stays_silent_on_a_popular_client():
    ring = group(RING)
    assert is_silent(shared_stack(ring, among(ring, stack_asn=same(range(SIZE), ["sdk|64500"]))))


def test_stays_silent_on_strangers():
    ring = group(RING)
    assert is_silent(shared_stack(ring, among(ring)))


def test_one_coincidence_between_two_members_is_not_evidence():
    ring = group(RING)
    assert bits_of(shared_stack(ring, among(ring, stack_asn=same([0, 20], ["odd|64999"])))) < FAINT
