from __future__ import annotations

import math

import numpy as np
from scipy import stats

from stillwatch.integrity.monitor.betting import bet_all
from stillwatch.integrity.monitor.ranks import Bags, rank_in


def test_a_score_above_all_others_ranks_lowest() -> None:
    assert rank_in(9.0, [1.0, 2.0, 3.0], 0.5) == 0.125
    assert rank_in(0.0, [1.0, 2.0, 3.0], 0.5) == 0.875


def test_ties_are_parted_by_chance_alone() -> None:
    assert [rank_in(1.0, [1.0, 1.0, 1.0], chance) for chance in (0.0, 0.5, 1.0)] == [0.0, 0.5, 1.0]


def test_a_first_score_says_nothing() -> None:
    assert rank_in(7.0, [], 0.3) == 0.3


def test_ranks_are_uniform_and_independent_though_a_bag_is_used_again_and_again() -> None:
    chance = np.random.default_rng(4)
    ranks = []
    for prompt in range(40):
        bags = Bags()
        for score in chance.integers(0, 6, 8):  # with many ties
            bags.join(str(prompt), float(score))
        ranks.append([bags.rank_and_join(str(prompt), float(s), chance.random()) for s in chance.integers(0, 6, 50)])
    table = np.array(ranks)
    assert stats.kstest(table.reshape(-1), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(table[:, :-1].reshape(-1), table[:, 1:].reshape(-1))[0, 1]) < 3.5 / math.sqrt(table.size)


def test_a_bag_that_does_not_grow_raises_false_alarms_in_the_end() -> None:
    """Why answers join their bag: against eight fixed answers an honest endpoint looks guilty after a while."""
    chance = np.random.default_rng(6)

    def alarmed(grows: bool) -> bool:
        bags = Bags()
        for score in chance.random(8):
            bags.join("one", float(score))
        fixed = list(bags.held["one"])
        ranks = [
            bags.rank_and_join("one", float(s), chance.random()) if grows else rank_in(float(s), fixed, chance.random())
            for s in chance.random(300)
        ]
        return bet_all(ranks).peak >= math.log(1000.0)

    assert sum(alarmed(False) for _ in range(20)) >= 5
    assert sum(alarmed(True) for _ in range(20)) == 0
