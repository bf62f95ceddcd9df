from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stillwatch.integrity.audit.kernel import codes, discrepancies, hamming_kernel, kernel_test, pieces


def answers(chance: np.random.Generator, prompts: int, number: int, words: int = 6) -> dict[str, list[str]]:
    made = chance.integers(0, words, (prompts, number, 5))
    return {str(at): [" ".join(f"w{word}" for word in row) for row in rows] for at, rows in enumerate(made)}


def test_texts_are_cut_into_words_and_marks() -> None:
    assert pieces("It's 5 o'clock.\nGo!", None) == ["It", "'", "s", "5", "o", "'", "clock", ".", "\n", "Go", "!"]
    assert codes(["a", "a b"], 3).tolist()[0][1:] == [0, 0]


def test_the_kernel_is_the_share_of_places_that_agree() -> None:
    kernel = hamming_kernel(np.array([[1, 2, 3, 4], [1, 2, 9, 9]]))
    assert kernel.tolist() == [[1.0, 0.5], [0.5, 1.0]]


def test_the_discrepancy_is_the_one_that_a_hand_computes() -> None:
    rows = np.array([[1, 1], [1, 2], [3, 3], [3, 4]])
    labels = np.array([[False, False, True, True]])
    # within: 0.5 for either side; across: nothing agrees
    assert discrepancies(hamming_kernel(rows), labels).tolist() == [1.0]


def test_p_is_uniform_when_both_are_one_model() -> None:
    chance = np.random.default_rng(8)
    ps = [kernel_test(answers(chance, 4, 6), answers(chance, 4, 4), chance, 99).p for _ in range(200)]
    assert stats.kstest(ps, "uniform").pvalue > 1e-3
    assert np.mean(np.array(ps) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_one_answer_a_prompt_is_enough_for_an_exact_test() -> None:
    chance = np.random.default_rng(9)
    ps = [kernel_test(answers(chance, 12, 8), answers(chance, 12, 1), chance, 99).p for _ in range(120)]
    assert stats.kstest(ps, "uniform").pvalue > 1e-3


def test_another_model_gives_the_smallest_p_there_is_and_that_is_not_zero() -> None:
    chance = np.random.default_rng(1)
    other = {prompt: ["x y z x y"] * 5 for prompt in "0123"}
    assert kernel_test(answers(chance, 4, 10), other, chance, 999).p == pytest.approx(1 / 1000)


def test_identical_answers_are_no_evidence() -> None:
    same = {"0": ["yes"] * 5}
    assert kernel_test(same, {"0": ["yes"] * 5}, np.random.default_rng(0), 99).p == 1.0


def test_prompts_of_one_side_alone_are_left_out_and_none_in_common_is_refused() -> None:
    chance = np.random.default_rng(0)
    assert kernel_test({"0": ["a", "b"], "1": ["a"]}, {"0": ["a"]}, chance, 9).calls == 1
    with pytest.raises(ValueError, match="both"):
        kernel_test({"0": ["a"]}, {"1": ["a"]}, chance, 9)
