"""Rented numbers tie accounts, a number that everyone shows ties nobody."""

from __future__ import annotations

from stillwatch.signals.shared_phone import shared_phone
from tests.signals.build import FAINT, SIZE, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
FEW = [f"rented-{at}" for at in range(5)]


def test_fires_on_accounts_verified_by_a_few_numbers():
    ring = group(RING)
    population = among(ring, phone_hash=dealt(RING, FEW))
    found = shared_phone(ring, population)
    assert fires(found, ring, population)
    assert "30 of 30" in found.because


def test_ties_only_the_members_that_share():
    ring = group(RING)
    sharing = [account for account in RING if account < 300]
    found = shared_phone(ring, among(ring, phone_hash=dealt(sharing, FEW)))
    assert found.members[:15].min() > 1.0 > found.members[15:].max()


def test_stays_silent_on_a_number_that_everyone_shows():
    ring = group(RING)
    assert is_silent(shared_phone(ring, among(ring, phone_hash=same(range(SIZE), "switchboard"))))


def test_stays_silent_on_strangers():
    ring = group(RING)
    assert is_silent(shared_phone(ring, among(ring)))


def test_one_coincidence_between_two_members_is_not_evidence():
    ring = group(RING)
    assert bits_of(shared_phone(ring, among(ring, phone_hash=same([0, 20], "phone-x")))) < FAINT
