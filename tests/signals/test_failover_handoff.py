"""Accounts that start within hours of others being blocked take over; those that start any day do not."""

from __future__ import annotations

import numpy as np

from stillwatch.signals.failover_handoff import failover_handoff
from stillwatch.sketch.population import DAY_US, HOUR_US
from tests.signals.build import END, SIZE, START, among, fires, group, is_silent, same

RING = range(0, 600, 20)
STOPPED = list(RING)[:10]
BLOCK = START + 5 * DAY_US + 9 * HOUR_US
EARLY = START + 2 * HOUR_US
HANDED_OVER = {
    "first_ts": [EARLY] * 10 + [BLOCK + (1 + at % 10) * HOUR_US // 6 for at in range(20)],
    "last_ts": [BLOCK + 60_000_000] * 10 + [END - HOUR_US] * 20,
}


def test_fires_when_others_take_over_right_after_suspension():
    ring = group(RING, **HANDED_OVER)
    population = among(ring, suspended_at=same(STOPPED, BLOCK))
    found = failover_handoff(ring, population)
    assert fires(found, ring, population)
    assert "20 members" in found.because


def test_fires_when_the_log_shows_refusals_and_no_account_table():
    ring = group(RING, **HANDED_OVER)
    refused = {"first_denied": same(STOPPED, BLOCK), "denied": same(STOPPED, 3), "last_ts": same(STOPPED, BLOCK)}
    population = among(ring, absent=["suspended_at"], **refused)
    assert fires(failover_handoff(ring, population), ring, population)


def test_stays_silent_on_members_who_start_any_day():
    first = START + np.linspace(0, 13, 30).astype(np.int64) * DAY_US
    crowd = group(RING, first_ts=first.tolist(), last_ts=END)
    assert is_silent(failover_handoff(crowd, among(crowd, suspended_at=same(STOPPED, BLOCK))))


def test_stays_silent_when_everyone_starts_that_morning():
    ring = group(RING, **HANDED_OVER)
    launch = {account: BLOCK + 1 + account % 50 * HOUR_US // 60 for account in range(SIZE) if account not in STOPPED}
    assert is_silent(failover_handoff(ring, among(ring, suspended_at=same(STOPPED, BLOCK), first_ts=launch)))


def test_a_refused_account_that_carries_on_was_not_stopped():
    crowd = group(RING, first_ts=HANDED_OVER["first_ts"], last_ts=END)
    assert is_silent(failover_handoff(crowd, among(crowd, first_denied=same(STOPPED, BLOCK), denied=same(STOPPED, 9))))


def test_one_refusal_before_the_night_is_a_rate_limit():
    ring = group(RING, **HANDED_OVER)
    refused = {"first_denied": same(STOPPED, BLOCK), "denied": same(STOPPED, 1), "last_ts": same(STOPPED, BLOCK)}
    assert is_silent(failover_handoff(ring, among(ring, absent=["suspended_at"], **refused)))


def test_stays_silent_on_fewer_than_three_stopped_members():
    ring = group(RING, **HANDED_OVER)
    assert is_silent(failover_handoff(ring, among(ring, suspended_at=same(STOPPED[:2], BLOCK))))


def test_stays_silent_when_only_two_take_over():
    first = [EARLY] * 10 + [BLOCK + HOUR_US] * 2
    few = group(RING[:12], first_ts=first, last_ts=[BLOCK + 60_000_000] * 10 + [END - HOUR_US] * 2)
    assert is_silent(failover_handoff(few, among(few, suspended_at=same(STOPPED, BLOCK))))
