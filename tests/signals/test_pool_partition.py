"""Shards of one list overlap less than repeats predict; strangers overlap as much, and no repeats tell nothing."""

from __future__ import annotations

import numpy as np

from stillwatch.signals.pool_partition import pool_partition
from tests.signals.build import among, fires, group, is_silent

RING = range(0, 400, 20)
SHARE = 100  # questions of one shard


def shards(repeats: int) -> list[list[int]]:
    """Each of twenty members works through a shard of its own, and retries its first questions."""
    return [[*range(at * SHARE, (at + 1) * SHARE), *range(at * SHARE, at * SHARE + repeats)] for at in range(20)]


def test_fires_on_a_list_dealt_out_over_accounts():
    ring = group(RING, asked=shards(repeats=8))
    population = among(ring)
    assert fires(pool_partition(ring, population), ring, population)


def test_stays_silent_on_strangers_who_draw_from_one_source():
    chance = np.random.default_rng(3)
    crowd = group(RING, asked=[chance.integers(0, 500, 100).tolist() for _ in RING])
    assert is_silent(pool_partition(crowd, among(crowd)))


def test_stays_silent_on_a_class_that_answers_the_same_questions():
    course = group(RING, asked=[[*range(20), 0, 1] for _ in RING])
    assert is_silent(pool_partition(course, among(course)))


def test_stays_silent_where_nothing_is_repeated_because_division_cannot_be_told_from_an_endless_list():
    ring = group(RING, asked=shards(repeats=0))
    assert pool_partition(ring, among(ring)) is None


def test_stays_silent_on_people_who_repeat_themselves_out_of_habit():
    people = group(RING, asked=shards(repeats=40))
    assert is_silent(pool_partition(people, among(people)))


def test_stays_silent_on_too_few_exchanges_to_expect_any_overlap():
    few = group(RING[:3], asked=[[0, 0, *range(1, 9)], [*range(20, 25)], [30, 31, 32]])
    assert is_silent(pool_partition(few, among(few)))
