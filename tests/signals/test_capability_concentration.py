"""A data set is collected skill by skill; a week of people is not."""

from __future__ import annotations

from stillwatch.signals.capability_concentration import capability_concentration
from tests.signals.build import among, fires, group, is_silent

RING = range(0, 600, 20)


def test_fires_on_traffic_that_seeks_one_skill():
    ring = group(RING, exchanges=100, capability={"reasoning": 2_900, "coding": 100})
    population = among(ring)
    assert fires(capability_concentration(ring, population), ring, population)


def test_stays_silent_on_a_week_of_many_skills():
    crowd = group(RING, exchanges=100)
    assert is_silent(capability_concentration(crowd, among(crowd)))


def test_stays_silent_below_fifty_exchanges():
    few = group(RING[:4], exchanges=5, capability={"reasoning": 20})
    assert is_silent(capability_concentration(few, among(few)))
