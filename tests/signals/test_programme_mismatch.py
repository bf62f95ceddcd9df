"""A harvest run on discounted programmes; one scholar among customers is no such thing."""

from __future__ import annotations

from stillwatch.signals.programme_mismatch import programme_mismatch
from tests.signals.build import SIZE, among, fires, group, is_silent, same

RING = range(0, 600, 20)


def test_fires_on_a_group_enrolled_in_a_programme():
    ring = group(RING)
    population = among(ring, program=same(RING, "education"))
    found = programme_mismatch(ring, population)
    assert fires(found, ring, population)
    assert "100%" in found.because


def test_stays_silent_where_everyone_is_enrolled():
    ring = group(RING)
    assert is_silent(programme_mismatch(ring, among(ring, program=same(range(SIZE), "education"))))


def test_stays_silent_on_two_scholars_among_customers():
    crowd = group(RING)
    assert is_silent(programme_mismatch(crowd, among(crowd, program=same(RING, None) | {0: "research", 20: "research"})))
