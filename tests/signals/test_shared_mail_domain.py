"""Rare mail domains tie accounts, a popular mail provider ties nobody."""

from __future__ import annotations

from stillwatch.signals.shared_mail_domain import shared_mail_domain
from tests.signals.build import FAINT, SIZE, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
FEW = [f"bulk-{at}" for at in range(5)]


def test_fires_on_accounts_at_a_few_bulk_domains():
    ring = group(RING)
    population = among(ring, email_domain=dealt(RING, FEW))
    found = shared_mail_domain(ring, population)
    assert fires(found, ring, population)
    assert "30 of 30" in found.because


def test_ties_only_the_members_that_share():
    ring = group(RING)
    sharing = [account for account in RING if account < 300]
    found = shared_mail_domain(ring, among(ring, email_domain=dealt(sharing, FEW)))
    assert found.members[:15].min() > 1.0 > found.members[15:].max()


def test_stays_silent_on_a_popular_mail_provider():
    ring = group(RING)
    assert is_silent(shared_mail_domain(ring, among(ring, email_domain=same(range(SIZE), "mail.example"))))


def test_stays_silent_on_strangers():
    ring = group(RING)
    assert is_silent(shared_mail_domain(ring, among(ring)))


def test_one_coincidence_between_two_members_is_not_evidence():
    ring = group(RING)
    assert bits_of(shared_mail_domain(ring, among(ring, email_domain=same([0, 20], "pair.example")))) < FAINT
