from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stillwatch.integrity.audit.uniformity import cramer_von_mises, uniformity_test


def test_the_statistic_is_scipys() -> None:
    ranks = np.random.default_rng(2).random(37)
    assert cramer_von_mises(ranks) == pytest.approx(stats.cramervonmises(ranks, "uniform").statistic)


def test_p_is_uniform_under_the_null_even_for_few_calls() -> None:
    chance = np.random.default_rng(3)
    for calls in (1, 3, 40):
        ps = [uniformity_test(chance.random(calls).tolist(), simulations=999).p for _ in range(400)]
        assert stats.kstest(ps, "uniform").pvalue > 1e-3, calls


def test_p_is_never_zero_where_the_asymptotic_one_is() -> None:
    ranks = [1e-6] * 300
    assert uniformity_test(ranks, simulations=999).p == pytest.approx(1 / 1000)
    assert stats.cramervonmises(ranks, "uniform").pvalue < 1e-7


def test_no_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="no ranks"):
        uniformity_test([])
