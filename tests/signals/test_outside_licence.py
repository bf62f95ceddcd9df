"""What exceeds a licence was not agreed."""

from __future__ import annotations

from stillwatch.signals.outside_licence import outside_licence
from tests.signals.build import among, bits_of, fires, group

RING = range(0, 600, 20)


def test_fires_on_accounts_that_exceed_their_licence():
    ring = group(RING)
    population = among(ring, breaks_licence=RING)
    assert fires(outside_licence(ring, population), ring, population)


def test_speaks_in_proportion_to_the_members_that_exceed_it():
    ring = group(RING)
    whole = bits_of(outside_licence(ring, among(ring, breaks_licence=RING)))
    assert 0 < bits_of(outside_licence(ring, among(ring, breaks_licence=RING[:10]))) < whole


def test_stays_silent_on_accounts_within_their_licence():
    ring = group(RING)
    assert outside_licence(ring, among(ring, licensed=RING)) is None


def test_stays_silent_on_a_stranger_who_exceeds_a_licence():
    ring = group(RING)
    assert outside_licence(ring, among(ring, breaks_licence=[1, 3])) is None
