"""Figures of merit on cases that can be counted by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from stillwatch.lab.evaluate.metrics import (
    PREVALENCES,
    Rate,
    at_most,
    average_precision,
    brier,
    median,
    precision_recall,
    reliability,
)


def test_average_precision_of_a_perfect_ranking_is_one_at_any_prevalence() -> None:
    score, guilty = np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False])
    assert [average_precision(score, guilty, rate) for rate in PREVALENCES] == [1.0, 1.0, 1.0]


def test_average_precision_by_hand() -> None:
    # one innocent above the second guilty one; at prevalence 1/2 both sides weigh the same, so w = 1
    score, guilty = np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False])
    assert average_precision(score, guilty, 0.5) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # at prevalence 1/4 an innocent weighs 3: the second half of the recall comes at precision 2 / (2 + 3)
    assert average_precision(score, guilty, 0.25) == pytest.approx(0.5 * 1 + 0.5 * 2 / 5)


def test_ties_are_one_threshold_whatever_their_order() -> None:
    guilty = np.array([True, False, False, True])
    assert average_precision(np.ones(4), guilty, 0.5) == 0.5
    assert average_precision(np.ones(4), guilty, 1e-3) == pytest.approx(1e-3)
    assert average_precision(np.ones(4), guilty[::-1], 1e-3) == pytest.approx(1e-3)


def test_nobody_guilty_is_nought_and_nobody_innocent_is_one() -> None:
    assert average_precision(np.ones(3), np.zeros(3, bool), 1e-3) == 0.0
    assert average_precision(np.arange(3.0), np.ones(3, bool), 1e-3) == 1.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40), st.sampled_from(PREVALENCES))
def test_average_precision_agrees_with_scikit_learn(rows: list[tuple[int, bool]], prevalence: float) -> None:
    score, guilty = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows])
    if guilty.all() or not guilty.any():
        return
    weight = np.where(guilty, 1.0, guilty.sum() * (1 - prevalence) / ((~guilty).sum() * prevalence))
    theirs = average_precision_score(guilty, score, sample_weight=weight)
    assert average_precision(score, guilty, prevalence) == pytest.approx(theirs)


def test_a_bound_says_what_so_few_events_still_allow() -> None:
    assert at_most(0, 10) == pytest.approx(1 - 0.05 ** (1 / 10))  # the rate that shows nothing in 1 of 20 such samples
    assert at_most(0, 300) == pytest.approx(0.01, rel=0.01)  # the rule of three
    assert at_most(1, 300) > at_most(0, 300)
    assert (at_most(0, 0), at_most(5, 5)) == (1.0, 1.0)


def test_a_rate_is_told_per_hundred_thousand() -> None:
    rate = Rate(2, 50_000)
    assert rate.per_100k == 4.0
    assert rate.bound_per_100k == pytest.approx(12.6, abs=0.1)
    assert Rate(0, 0).per_100k == 0.0


def test_precision_and_recall_of_a_decision() -> None:
    accused, guilty = np.array([True, True, False, False]), np.array([True, False, True, True])
    assert precision_recall(accused, guilty) == (1 / 2, 1 / 3)
    assert precision_recall(np.zeros(4, bool), guilty) == (0.0, 0.0)


def test_brier_is_the_mean_square_of_the_error() -> None:
    assert brier(np.array([1.0, 0.0, 0.5, 0.5]), np.array([True, False, True, False])) == 0.125


def test_reliability_sets_what_was_said_beside_what_was_true() -> None:
    p, true = np.array([0.01, 0.03, 0.6, 0.7, 1.0]), np.array([False, False, True, False, True])
    assert reliability(p, true) == [
        (pytest.approx(0.02), 0.0, 2),
        (pytest.approx(0.65), 0.5, 2),
        (1.0, 1.0, 1),
    ]


def test_the_median_of_nothing_is_not_a_number() -> None:
    assert median([3.0, 1.0]) == 2.0
    assert np.isnan(median([]))
