"""Rare network blocks tie accounts, a popular cloud ties nobody."""

from __future__ import annotations

from stillwatch.signals.shared_prefix import shared_prefix
from tests.signals.build import FAINT, SIZE, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
FEW = [[f"198.51.10{at}"] for at in range(5)]


def test_fires_on_accounts_in_a_few_blocks():
    ring = group(RING)
    population = among(ring, prefix=dealt(RING, FEW))
    found = shared_prefix(ring, population)
    assert fires(found, ring, population)
    assert "30 of 30" in found.because


def test_ties_only_the_members_that_share():
    ring = group(RING)
    sharing = [account for account in RING if account < 300]
    found = shared_prefix(ring, among(ring, prefix=dealt(sharing, FEW)))
    assert found.members[:15].min() > 1.0 > found.members[15:].max()


def test_stays_silent_on_a_block_that_everyone_uses():
    ring = group(RING)
    assert is_silent(shared_prefix(ring, among(ring, prefix=same(range(SIZE), ["192.0.2"]))))


def test_stays_silent_on_strangers():
    ring = group(RING)
    assert is_silent(shared_prefix(ring, among(ring)))


def test_one_coincidence_between_two_members_is_not_evidence():
    ring = group(RING)
    assert bits_of(shared_prefix(ring, among(ring, prefix=same([0, 20], ["192.0.2"])))) < FAINT
