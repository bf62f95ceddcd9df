from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stillwatch.integrity.audit.border import border_test, candidates, is_border
from stillwatch.integrity.audit.logprobs import logprob_test


def told(chance: np.random.Generator, shift: float = 0.0) -> dict[str, list[dict[str, float]]]:
    return {
        prompt: [
            {
                "yes": -0.5 + shift + 0.01 * chance.standard_normal(),
                "no": -1.0 - shift + 0.01 * chance.standard_normal(),
            }
            for _ in range(5)
        ]
        for prompt in ("a", "b", "c")
    }


def test_log_probabilities_of_one_model_give_a_uniform_p() -> None:
    chance = np.random.default_rng(2)
    ps = [logprob_test(told(chance), told(chance), chance, 99).p for _ in range(200)]
    assert stats.kstest(ps, "uniform").pvalue > 1e-3


def test_a_hair_of_difference_in_log_probabilities_is_seen_in_fifteen_calls() -> None:
    chance = np.random.default_rng(3)
    found = logprob_test(told(chance), told(chance, 0.05), chance, 1999)
    assert found.p < 0.003
    assert found.calls == 15


def test_a_token_that_one_side_did_not_tell_counts_as_the_least_likely() -> None:
    chance = np.random.default_rng(4)
    theirs = {"a": [{"yes": -0.5, "maybe": -1.0}] * 6}
    assert logprob_test({"a": [{"yes": -0.5, "no": -1.0}] * 6}, theirs, chance, 999).p < 0.02


def test_without_log_probabilities_there_is_nothing_to_test() -> None:
    with pytest.raises(ValueError, match="log-probabilities"):
        logprob_test({"a": []}, {"a": [{"yes": -1.0}]}, np.random.default_rng(0))


def test_an_input_is_a_border_only_if_both_beginnings_come_often() -> None:
    assert is_border(["a"] * 7 + ["b"] * 5)
    assert not is_border(["a"] * 12)
    assert not is_border(["a"] * 29 + ["b"])


def test_candidates_are_short_distinct_and_the_same_for_a_seed() -> None:
    found = candidates(1000, seed=1)
    assert len(set(found)) >= 990
    assert found == candidates(1000, seed=1)
    assert max(map(len, found)) <= 3


def test_border_inputs_of_one_model_give_a_uniform_p_and_a_moved_tie_is_seen() -> None:
    chance = np.random.default_rng(5)

    def one(shares: np.ndarray, times: int) -> dict[str, list[str]]:
        return {str(at): ["a" if chance.random() < s else "b" for _ in range(times)] for at, s in enumerate(shares)}

    nulls = []
    for _ in range(150):  # chosen by three looks among inputs of which most are no borders, as the command does
        shares = chance.beta(0.3, 0.3, 60)
        looks = one(shares, 3)
        shares = shares[[is_border(looks[str(at)]) for at in range(60)]][:10]
        nulls.append(border_test(one(shares, 12), one(shares, 6), chance, 99).p)
    assert np.mean(np.array(nulls) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert abs(np.mean(nulls) - 0.5) < 0.1

    def said(share: float, times: int) -> dict[str, list[str]]:
        return {f"in{at}": ["a" if chance.random() < share else "b" for _ in range(times)] for at in range(10)}

    assert border_test(said(0.5, 12), said(0.95, 6), chance, 999).p < 0.01
