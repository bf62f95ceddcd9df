"""A pool is switched on at full load; a customer grows."""

from __future__ import annotations

from stillwatch.signals.no_ramp import no_ramp
from stillwatch.sketch.population import HOUR_US, NEVER
from tests.signals.build import SIZE, START, among, fires, group, is_silent, same

RING = range(0, 600, 20)


def test_fires_on_accounts_at_full_load_from_their_first_day():
    ring = group(RING, exchanges=400, first_ts=START + 24 * HOUR_US)
    population = among(ring, created_at=same(RING, START), first_day=same(RING, 120))
    found = no_ramp(ring, population)
    assert fires(found, ring, population)
    assert "100%" in found.because


def test_stays_silent_on_old_accounts_with_a_sudden_job():
    ring = group(RING, exchanges=400)
    assert is_silent(no_ramp(ring, among(ring, first_day=same(RING, 120))))


def test_stays_silent_on_new_accounts_that_try_first():
    ring = group(RING, exchanges=400, first_ts=START + 24 * HOUR_US)
    assert is_silent(no_ramp(ring, among(ring, created_at=same(RING, START), first_day=same(RING, 6))))


def test_stays_silent_where_everyone_starts_at_full_load():
    ring = group(RING, exchanges=400)
    everyone = {name: same(range(SIZE), value) for name, value in (("first_ts", START), ("created_at", START))}
    busy = {"first_day": same(range(SIZE), 120), "exchanges": same(range(SIZE), 400)}
    assert is_silent(no_ramp(ring, among(ring, **everyone, **busy)))


def test_stays_silent_on_a_handful_of_exchanges():
    few = group(RING, exchanges=5, first_ts=START)
    assert is_silent(no_ramp(few, among(few, created_at=same(RING, START), first_day=same(RING, 5))))


def test_stays_silent_where_signup_is_not_known():
    ring = group(RING, exchanges=400)
    assert is_silent(no_ramp(ring, among(ring, created_at=same(RING, NEVER), first_day=same(RING, 400))))
