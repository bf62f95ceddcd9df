from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

from stillwatch.integrity.monitor.betting import BETS, Capital, _gains, anytime_p, bet, bet_all
from stillwatch.integrity.monitor.many_bets import open_capitals


def test_capital_begins_at_one() -> None:
    assert Capital().log_e == pytest.approx(0.0, abs=1e-12)
    assert anytime_p(Capital()) == 1.0


@pytest.mark.parametrize("number", range(BETS))
def test_every_bet_is_fair_on_uniform_ranks(number: int) -> None:
    won, _ = integrate.quad(lambda rank: math.exp(_gains(rank)[number]), 0.0, 1.0, limit=200)
    assert won == pytest.approx(1.0, abs=1e-3)


def test_moving_capital_between_bets_makes_none() -> None:
    after = bet(Capital(), 0.5)
    won = sum(math.exp(held + gain) for held, gain in zip(Capital().holdings, _gains(0.5), strict=True))
    assert after.log_e == pytest.approx(math.log(won))


def test_continuous_looking_raises_few_false_alarms() -> None:
    """Type I error under continuous looking: P(sup E ≥ c) ≤ 1/c, with 2,000 streams of 500 ranks each."""
    chance, many, peak = np.random.default_rng(5), open_capitals(2000), np.zeros(2000)
    for _ in range(500):
        peak = np.maximum(peak, many.bet(chance.random(2000)))
    for bar in (20.0, 100.0, 1000.0):
        expected = 2000 / bar
        assert np.count_nonzero(peak >= math.log(bar)) <= expected + 3 * math.sqrt(expected)


def test_many_streams_at_once_are_bet_on_as_one_is() -> None:
    ranks = np.random.default_rng(7).random((30, 3)) ** 2
    many = open_capitals(3)
    told = [many.bet(row) for row in ranks]
    assert told[-1] == pytest.approx([bet_all(ranks[:, stream].tolist()).log_e for stream in range(3)])


def test_a_total_change_is_seen_in_a_few_ranks() -> None:
    chance = np.random.default_rng(1)
    assert bet_all((chance.random(8) / 40).tolist()).log_e > math.log(1000.0)


def test_a_change_after_a_long_quiet_time_is_still_seen() -> None:
    chance = np.random.default_rng(2)
    quiet = bet_all(chance.random(2000).tolist())
    assert quiet.log_e < math.log(1000.0)
    changed = bet_all((chance.random(40) ** 4).tolist(), quiet)
    assert changed.log_e > math.log(1000.0)


def test_a_p_value_for_any_time_is_never_zero_and_never_grows() -> None:
    one = bet_all([0.001] * 30)
    assert 0.0 < anytime_p(one) < 1e-6
    assert anytime_p(bet_all([0.5] * 50, one)) == pytest.approx(anytime_p(one))


@pytest.mark.parametrize("rank", [-0.01, 1.01, math.nan])
def test_what_is_no_rank_is_refused(rank: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        bet(Capital(), rank)
