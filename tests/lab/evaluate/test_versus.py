"""Rankings against the truth, on accounts that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.lab.evaluate.standings import behind, best_rival, by_scenario
from stillwatch.lab.evaluate.versus import compare
from stillwatch.lab.rivals import Ranking
from stillwatch.lab.truth import Truth

CAMPAIGN = {"a1": "A", "a2": "A", "b1": "B", "i1": None, "i2": None, "pool": None}
POOL = {"a1": "pool-A", "a2": "pool-A", "b1": "pool-B", "i1": None, "i2": None, "pool": "pool-A"}
TRUTH = Truth(dict(CAMPAIGN), dict(POOL), dict.fromkeys(CAMPAIGN), {})


def ranking(score: dict[str, float], accused: set[str], group: dict[str, int]) -> Ranking:
    ids = sorted(CAMPAIGN)
    return Ranking(
        np.array(ids),
        np.array([score.get(one, 0.0) for one in ids]),
        np.array([group.get(one, -1) for one in ids]),
        np.array([one in accused for one in ids]),
    )


def test_a_campaign_is_ranked_against_innocents_only() -> None:
    # b1 of another campaign and the pool's bystander stand above a2, and count against nobody
    found = compare(ranking({"a1": 5, "b1": 4, "pool": 4, "a2": 3, "i1": 1}, set(), {}), TRUTH)
    assert found["campaigns"] == {"A": 1.0, "B": 1.0}
    assert found["all"] == 1.0


def test_an_innocent_above_costs_more_the_rarer_attackers_are() -> None:
    found = compare(ranking({"i1": 5, "a1": 4, "a2": 3, "b1": 2}, set(), {}), TRUTH)
    weight = 1 * 0.999 / (2 * 0.001)  # of an innocent, beside the one account of B
    assert found["campaigns"]["B"] == pytest.approx(1 / (1 + weight))


def test_its_own_threshold_is_scored_with_groups() -> None:
    found = compare(ranking({}, {"a1", "a2", "i1"}, {"a1": 1, "a2": 1, "i1": 1}), TRUTH)
    assert (found["precision"], found["recall"]) == (2 / 3, 2 / 3)
    assert (found["innocents"], found["innocents_accused"]) == (2, 1)
    # a1, a2, i1 in one cluster, b1 alone: precision (2/3 + 2/3 + 1/3 + 1) / 4, recall 1
    assert found["b_cubed"] == pytest.approx(2 * (2 / 3) / (1 + 2 / 3))


def test_a_lead_smaller_than_a_tie_is_no_lead() -> None:
    def runs(value: float) -> dict[str, object]:
        return {"runs": [{"campaigns": {"A": value}}]}

    for ours, said in ((0.9, []), (0.801, ["A: theirs is level (0.800 against 0.801)"])):
        data = {"detectors": {"stillwatch": runs(ours), "theirs": runs(0.8), "worse": runs(0.1)}}
        assert best_rival(by_scenario(data)["A"]) == ("theirs", 0.8)
        assert behind(data) == said
