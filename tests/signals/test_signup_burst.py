"""Accounts stocked in a batch stand out from signups of two years."""

from __future__ import annotations

import pytest

from stillwatch.signals.signup_burst import signup_burst
from stillwatch.sketch.population import DAY_US, HOUR_US, NEVER
from tests.signals.build import SIZE, START, among, fires, group, is_silent, same

RING = range(0, 600, 20)


@pytest.mark.parametrize("hours", [0.5, 8, 48])
def test_fires_on_accounts_created_together_at_several_time_scales(hours):
    ring = group(RING)
    batch = {account: START + int(at * hours * HOUR_US / 30) for at, account in enumerate(RING)}
    population = among(ring, created_at=batch)
    assert fires(signup_burst(ring, population), ring, population)


def test_stays_silent_when_everyone_signs_up_that_day():
    ring = group(RING)
    launch = {account: START + account * 7_919 % 2_000 * 40_000_000 for account in range(SIZE)}
    assert is_silent(signup_burst(ring, among(ring, created_at=launch)))


def test_stays_silent_on_signups_spread_over_two_years():
    ring = group(RING)
    assert is_silent(signup_burst(ring, among(ring)))


def test_two_members_of_one_day_are_not_a_burst():
    ring = group(RING)
    assert is_silent(signup_burst(ring, among(ring, created_at=same([0, 20], START - 40 * DAY_US))))


def test_stays_silent_where_signup_is_not_known():
    ring = group(RING)
    assert is_silent(signup_burst(ring, among(ring, created_at=same(RING, NEVER))))
