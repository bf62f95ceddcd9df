"""Accounts that move to a new model on the day of its release, unless everyone is moved."""

from __future__ import annotations

from stillwatch.signals.joint_pivot import joint_pivot
from tests.signals.build import DAY, DAYS, among, fires, group, is_silent

RING = range(0, 600, 20)
RELEASE = DAY + 7
BEFORE = {("m-1", DAY + day): 100 for day in range(7)}
PIVOT = BEFORE | {("m-2", DAY + day): 100 for day in range(7, DAYS)}


def test_fires_on_a_group_that_moves_to_a_model_the_day_it_is_released():
    ring = group(RING, days=PIVOT)
    population = among(ring)
    found = joint_pivot(ring, population)
    assert fires(found, ring, population)
    assert "m-2" in found.because


def test_stays_silent_when_a_default_moves_everyone():
    ring = group(RING, days=PIVOT)
    moved = {("m-1", DAY + day): 9_000 for day in range(7)} | {("m-2", DAY + day): 9_000 for day in range(7, DAYS)}
    assert is_silent(joint_pivot(ring, among(ring, model_days=moved)))


def test_stays_silent_on_a_group_that_drifts_like_the_rest():
    drift = {("m-1", DAY + day): 98 for day in range(DAYS)} | {("m-2", DAY + day): 2 for day in range(7, DAYS)}
    crowd = group(RING, days=drift)
    assert is_silent(joint_pivot(crowd, among(crowd)))


def test_a_model_of_the_first_day_was_not_released_in_the_log():
    crowd = group(RING, days={("m-3", DAY + day): 100 for day in range(DAYS)})
    assert is_silent(joint_pivot(crowd, among(crowd)))


def test_stays_silent_below_fifty_exchanges_around_the_release():
    few = group(RING, days=dict.fromkeys(PIVOT, 5))
    assert is_silent(joint_pivot(few, among(few)))
