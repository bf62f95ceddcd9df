"""Loads dealt out evenly stand out from heavy-tailed customers."""

from __future__ import annotations

from stillwatch.signals.scheduler_evenness import scheduler_evenness
from tests.signals.build import among, fires, group, is_silent, same

RING = range(0, 600, 20)


def test_fires_on_accounts_that_carry_equal_loads():
    ring = group(RING, exchanges=[200 + at % 7 for at in range(30)])
    population = among(ring)
    assert fires(scheduler_evenness(ring, population), ring, population)


def test_stays_silent_on_heavy_tailed_customers():
    crowd = group(RING)
    assert is_silent(scheduler_evenness(crowd, among(crowd)))


def test_stays_silent_where_every_account_keeps_to_one_quota():
    crowd = group(RING, exchanges=20)
    assert is_silent(scheduler_evenness(crowd, among(crowd, exchanges=same(range(2_000), 20))))


def test_stays_silent_on_one_or_two_exchanges_each():
    crowd = group(RING, exchanges=2)
    assert is_silent(scheduler_evenness(crowd, among(crowd)))
