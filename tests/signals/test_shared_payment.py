"""Few instruments behind many accounts tie them, a common one ties nobody."""

from __future__ import annotations

from stillwatch.signals.shared_payment import shared_payment
from tests.signals.build import FAINT, SIZE, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
FEW = [f"virtual-{at}" for at in range(5)]


def test_fires_on_accounts_paid_with_a_few_instruments():
    ring = group(RING)
    population = among(ring, payment_fingerprint=dealt(RING, FEW))
    found = shared_payment(ring, population)
    assert fires(found, ring, population)
    assert "30 of 30" in found.because


def test_ties_only_the_members_that_share():
    ring = group(RING)
    sharing = [account for account in RING if account < 300]
    found = shared_payment(ring, among(ring, payment_fingerprint=dealt(sharing, FEW)))
    assert found.members[:15].min() > 1.0 > found.members[15:].max()


def test_stays_silent_on_an_instrument_that_everyone_shows():
    ring = group(RING)
    assert is_silent(shared_payment(ring, among(ring, payment_fingerprint=same(range(SIZE), "voucher"))))


def test_stays_silent_on_strangers():
    ring = group(RING)
    assert is_silent(shared_payment(ring, among(ring)))


def test_one_coincidence_between_two_members_is_not_evidence():
    ring = group(RING)
    assert bits_of(shared_payment(ring, among(ring, payment_fingerprint=same([0, 20], "card-x")))) < FAINT
