"""One machine behind many networks; travellers and mobile users change with everyone else."""

from __future__ import annotations

from stillwatch.signals.stack_mismatch import stack_mismatch
from tests.signals.build import SIZE, among, fires, group, is_silent, same

RING = range(0, 600, 20)


def test_fires_on_one_client_from_many_networks():
    ring = group(RING)
    population = among(ring, asns=same(RING, 9), stacks=same(RING, 1))
    assert fires(stack_mismatch(ring, population), ring, population)


def test_stays_silent_on_travellers_whose_client_changes_too():
    crowd = group(RING)
    assert is_silent(stack_mismatch(crowd, among(crowd, asns=same(RING, 9), stacks=same(RING, 6))))


def test_stays_silent_where_everyone_moves_between_networks():
    ring = group(RING)
    population = among(ring, asns=same(range(SIZE), 5), stacks=same(range(SIZE), 1))
    assert is_silent(stack_mismatch(ring, population))


def test_one_odd_member_is_not_the_group():
    crowd = group(RING)
    assert is_silent(stack_mismatch(crowd, among(crowd, asns=same(RING, 1) | {0: 9}, stacks={0: 1})))
