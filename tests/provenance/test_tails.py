from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from stillwatch.provenance.tails import binomial_tail, holm, normal_tail, uniformity, weighted_tail


def test_the_tail_is_that_of_published_counts() -> None:
    assert binomial_tail(64237, 248200, 0.25).p == pytest.approx(2.85e-24, rel=2e-3)
    assert binomial_tail(54096, 216292, 0.25).p == pytest.approx(0.45535759, abs=5e-9)


@pytest.mark.parametrize(
    ("hits", "trials", "chance"), [(1, 1, 0.5), (7, 20, 0.25), (64237, 248200, 0.25), (30, 30, 0.5)]
)
def test_the_tail_is_the_binomial_survival_function(hits: int, trials: int, chance: float) -> None:
    assert binomial_tail(hits, trials, chance).p == pytest.approx(
        float(stats.binom.sf(hits - 1, trials, chance)), rel=1e-9
    )


def test_a_tail_too_small_for_a_double_has_its_logarithm() -> None:
    near = binomial_tail(1200, 2000, 0.25)
    assert near.p == pytest.approx(10**near.log10, rel=1e-6)
    far = binomial_tail(1999, 2000, 0.25)
    exact = math.log10(2000 * 0.75 + 0.25) + 1999 * math.log10(0.25)
    assert far.log10 == pytest.approx(exact, abs=1e-6)
    assert binomial_tail(2000, 2000, 0.25).log10 == pytest.approx(2000 * math.log10(0.25))


def test_no_hit_at_all_is_no_evidence() -> None:
    assert binomial_tail(0, 0, 0.5).p == binomial_tail(0, 10, 0.5).p == 1.0


@pytest.mark.parametrize(("hits", "trials", "chance"), [(-1, 3, 0.5), (4, 3, 0.5), (1, 3, 0.0), (1, 3, 1.0)])
def test_what_is_no_count_is_refused(hits: int, trials: int, chance: float) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        binomial_tail(hits, trials, chance)


def test_the_binomial_tail_is_calibrated_under_the_null() -> None:
    rng = np.random.default_rng(5)
    ps = [binomial_tail(int(each), 400, 0.25).p for each in rng.binomial(400, 0.25, 1000)]
    assert uniformity(ps) > 0.01
    assert np.mean(np.array(ps) < 0.05) < 0.07


def test_the_normal_tail_is_that_of_the_normal() -> None:
    assert normal_tail(7.34).log10 == pytest.approx(-12.97, abs=0.02)


def test_holm_corrects_step_down_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([]) == ()


def test_holm_keeps_the_error_of_a_family() -> None:
    rng = np.random.default_rng(6)
    wrong = np.mean([min(holm(list(rng.uniform(size=12)))) < 0.05 for _ in range(2000)])
    assert wrong < 0.065


def test_p_values_that_are_too_small_are_seen_and_large_ones_are_not_blamed() -> None:
    rng = np.random.default_rng(7)
    uniform = rng.uniform(size=40)
    assert uniformity(list(uniform**3)) < 0.01
    assert uniformity(list(np.sqrt(uniform))) > 0.5


def test_a_weighted_tail_is_near_the_exact_one_of_every_outcome() -> None:
    rng = np.random.default_rng(3)
    weights, chance = rng.normal(0, 1, 14), 0.25
    outcomes = np.array(list(itertools.product((0, 1), repeat=14)))
    sums = outcomes @ weights
    chances = np.where(outcomes, chance, 1 - chance).prod(axis=1)
    for at in np.argsort(sums)[[9_000, 14_000, 15_800, 16_300, 16_370]]:
        exact = chances[sums >= sums[at] - 1e-12].sum()
        assert weighted_tail(weights, outcomes[at], chance).p == pytest.approx(exact, rel=0.25)


def test_a_weighted_tail_of_equal_weights_is_the_binomial_one_far_out_too() -> None:
    for hits in (320, 400, 600):
        told = weighted_tail(np.full(1_000, 2.0), np.arange(1_000) < hits, 0.25).log10
        assert told == pytest.approx(binomial_tail(hits, 1_000, 0.25).log10, rel=0.02)


def test_a_weighted_tail_is_exact_where_nothing_lies_beyond() -> None:
    weights = np.array([1.0, -2.0, 3.0])
    assert weighted_tail(weights, weights > 0, 0.25).p == pytest.approx(0.25 * 0.75 * 0.25)
    assert weighted_tail(weights, weights < 0, 0.25).p == 1.0
    many = np.full(2_000, 1.0)
    assert weighted_tail(many, many > 0, 0.25).log10 == pytest.approx(2_000 * math.log10(0.25))


def test_weighted_tails_are_uniform_under_the_null_however_skewed_the_weights() -> None:
    rng = np.random.default_rng(4)
    weights = rng.pareto(2.5, 400) * rng.choice([-1, 1], 400)
    for chance in (0.25, 0.5):
        ps = [weighted_tail(weights, rng.random(400) < chance, chance).p for _ in range(400)]
        assert stats.kstest(ps, "uniform").pvalue > 0.01


def test_what_weighs_nothing_has_no_tail() -> None:
    with pytest.raises(ValueError, match="weighs"):
        weighted_tail(np.zeros(3), np.ones(3), 0.5)
    with pytest.raises(ValueError, match="chance"):
        weighted_tail(np.ones(3), np.ones(3), 1.0)
