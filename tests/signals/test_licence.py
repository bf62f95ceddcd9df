"""Distillation by agreement is a product."""

from __future__ import annotations

from stillwatch.signals.licence import licence
from tests.signals.build import among, bits_of, exculpates, group

RING = range(0, 600, 20)


def test_speaks_for_accounts_within_a_licence():
    customer = group(RING)
    assert exculpates(licence(customer, among(customer, licensed=RING)))


def test_speaks_in_proportion_to_the_members_it_covers():
    mixed = group(RING)
    whole = bits_of(licence(mixed, among(mixed, licensed=RING)))
    assert whole < bits_of(licence(mixed, among(mixed, licensed=RING[:10]))) < 0


def test_stays_silent_on_a_ring_without_a_licence():
    ring = group(RING)
    assert licence(ring, among(ring, licensed=[1, 3, 5])) is None
