"""One scheduler's accounts meet more often than their hours explain; people in one time zone do not."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.loose_synchrony import loose_synchrony
from tests.signals.build import AWAKE, DAYS, among, fires, group, is_silent

RING = range(0, 600, 20)


def sessions(jitter: int, seed: int = 1) -> list[list[int]]:
    """Thirty members that are all started at the same forty moments, give or take."""
    chance = np.random.default_rng(seed)
    starts = chance.integers(0, DAYS * 1_440 - jitter - 1, 40)
    return [(starts + chance.integers(0, jitter + 1, 40)).tolist() for _ in RING]


def people(days: list[int], seed: int = 2) -> list[list[int]]:
    """Thirty persons of one time zone, each active when it likes on days of its own out of `days`."""
    chance = np.random.default_rng(seed)
    hours = AWAKE / AWAKE.sum()
    return [
        (chance.choice(days, 40) * 1_440 + chance.choice(24, 40, p=hours) * 60 + chance.integers(0, 60, 40)).tolist()
        for _ in RING
    ]


@pytest.mark.parametrize("jitter", [0, 10, 90])
def test_fires_on_one_scheduler_whatever_its_jitter(jitter):
    ring = group(RING, beats=sessions(jitter))
    population = among(ring)
    found = loose_synchrony(ring, population)
    assert fires(found, ring, population)


def test_stays_silent_on_people_who_keep_the_same_hours():
    crowd = group(RING, beats=people(list(range(DAYS))))
    assert is_silent(loose_synchrony(crowd, among(crowd)))


def test_stays_silent_on_an_office_week():
    crowd = group(RING, beats=people([day for day in range(DAYS) if day % 7 < 5]))
    assert is_silent(loose_synchrony(crowd, among(crowd)))


def test_stays_silent_on_fewer_than_four_active_members():
    ring = group(RING[:3], beats=sessions(0)[:3])
    assert is_silent(loose_synchrony(ring, among(ring)))


def test_ties_no_member_that_is_hardly_active():
    ring = group(RING, beats=[*sessions(0)[:29], [5]])
    found = loose_synchrony(ring, among(ring))
    assert found.members[29] == 0 < found.members[0]
