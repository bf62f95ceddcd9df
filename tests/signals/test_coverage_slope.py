"""A divided list grows with every account; people with one source soon ask what others asked."""

from __future__ import annotations

import numpy as np

from stillwatch.signals.coverage_slope import coverage_slope
from tests.signals.build import among, fires, group, is_silent

RING = range(0, 600, 20)


def test_fires_when_all_together_still_ask_new_questions():
    ring = group(RING, exchanges=100)
    population = among(ring)
    assert fires(coverage_slope(ring, population), ring, population)


def test_stays_silent_on_labs_that_run_one_benchmark():
    labs = group(RING, asked=[range(200) for _ in RING])
    assert is_silent(coverage_slope(labs, among(labs)))


def test_stays_silent_on_people_who_draw_from_one_source():
    chance = np.random.default_rng(5)
    crowd = group(RING, asked=[chance.integers(0, 300, 100).tolist() for _ in RING])
    assert is_silent(coverage_slope(crowd, among(crowd)))


def test_stays_silent_on_one_account_alone():
    alone = group([3], exchanges=500)
    assert is_silent(coverage_slope(alone, among(alone)))


def test_stays_silent_below_a_hundred_exchanges():
    few = group(RING[:10], exchanges=5)
    assert is_silent(coverage_slope(few, among(few)))
