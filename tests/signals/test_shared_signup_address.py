"""Rare signup addresses tie accounts, a carrier gateway ties nobody."""

from __future__ import annotations

from stillwatch.signals.shared_signup_address import shared_signup_address
from tests.signals.build import FAINT, SIZE, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
FEW = [f"198.51.100.{at}" for at in range(5)]


def test_fires_on_accounts_made_from_a_few_addresses():
    ring = group(RING)
    population = among(ring, signup_ip=dealt(RING, FEW))
    found = shared_signup_address(ring, population)
    assert fires(found, ring, population)
    assert "30 of 30" in found.because


def test_ties_only_the_members_that_share():
    ring = group(RING)
    sharing = [account for account in RING if account < 300]
    found = shared_signup_address(ring, among(ring, signup_ip=dealt(sharing, FEW)))
    assert found.members[:15].min() > 1.0 > found.members[15:].max()


def test_stays_silent_on_a_gateway_that_everyone_signs_up_through():
    ring = group(RING)
    assert is_silent(shared_signup_address(ring, among(ring, signup_ip=same(range(SIZE), "192.0.2.1"))))


def test_stays_silent_on_strangers():
    ring = group(RING)
    assert is_silent(shared_signup_address(ring, among(ring)))


def test_one_coincidence_between_two_members_is_not_evidence():
    ring = group(RING)
    assert bits_of(shared_signup_address(ring, among(ring, signup_ip=same([0, 20], "192.0.2.1")))) < FAINT
