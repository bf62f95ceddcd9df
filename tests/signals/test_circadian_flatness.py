"""A machine never sleeps; a crowd whose members each sleep, at hours of their own, does."""

from __future__ import annotations

import numpy as np

from stillwatch.signals.circadian_flatness import circadian_flatness
from tests.signals.build import AWAKE, among, fires, group, is_silent, same

RING = range(0, 600, 20)


def test_fires_on_accounts_that_ask_at_every_hour():
    ring = group(RING, exchanges=240)
    population = among(ring, clock=same(RING, [10] * 24))
    assert fires(circadian_flatness(ring, population), ring, population)


def test_stays_silent_on_people_by_day():
    crowd = group(RING, exchanges=240)
    assert is_silent(circadian_flatness(crowd, among(crowd, clock=same(RING, AWAKE.tolist()))))


def test_stays_silent_on_people_all_over_the_world_although_their_sum_is_flat():
    crowd = group(RING, exchanges=240)
    zones = {account: np.roll(AWAKE, at).tolist() for at, account in enumerate(RING)}
    assert is_silent(circadian_flatness(crowd, among(crowd, clock=zones)))


def test_stays_silent_below_two_hundred_exchanges():
    few = group(RING[:4], exchanges=24)
    assert is_silent(circadian_flatness(few, among(few, clock=same(RING[:4], [1] * 24))))
