from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from stillwatch.integrity.audit.hearing import Hearing, Score, adjusted, open_hearing, yardstick
from stillwatch.integrity.audit.permutation import Outcome
from stillwatch.lab.tiny_models import TinyModel, random_model, texts

WORDS = [f"w{number}" for number in range(200)]
MODEL = random_model(1, spread=4.5)
PROMPTS = np.random.default_rng(0).integers(0, 200, (10, 5))


def said(model: TinyModel, number: int, seed: int, temperature: float = 1.0) -> dict[str, list[str]]:
    chance = np.random.default_rng(seed)
    rows = model.sample(np.repeat(PROMPTS, number, axis=0), 24, chance, temperature)
    answers = texts(rows, WORDS)
    return {str(at): answers[at * number : (at + 1) * number] for at in range(len(PROMPTS))}


def log_ranks(prompt: str, text: str) -> float:
    """What a local copy of the model tells."""
    words = np.array([[int(word[1:]) for word in text.split()]])
    return float(MODEL.log_ranks(PROMPTS[int(prompt)][None, :], words)[0])


def hear(
    model: TinyModel, seed: int, temperature: float = 1.0, local: Score | None = None
) -> tuple[Hearing, int | None]:
    """A whole audit, and after how many calls E reached 1,000."""
    times = 6 if local else 2
    hearing = open_hearing(yardstick(said(MODEL, 10, seed), local), seed)
    answers, sure = said(model, times, 1000 + seed, temperature), None
    for turn in range(times):
        for prompt in answers:
            if hearing.hear(prompt, answers[prompt][turn]) >= math.log(1000.0) and sure is None:
                sure = len(hearing.ranks)
    return hearing, sure


def test_an_honest_endpoint_gives_uniform_ranks_and_uniform_p_values() -> None:
    hearings = [hear(MODEL, seed)[0] for seed in range(20)]
    ranks = np.concatenate([each.ranks for each in hearings])
    assert stats.kstest(ranks, "uniform").pvalue > 1e-3
    ps = np.array([[outcome.p for outcome in each.outcomes(199)] for each in hearings])
    assert stats.kstest(ps[:, 0], "uniform").pvalue > 1e-3
    assert stats.kstest(ps[:, 1], "uniform").pvalue > 1e-3
    assert all(each.peak < math.log(1000.0) for each in hearings)


def test_another_model_is_seen_within_twenty_calls() -> None:
    calls = [hear(random_model(2, spread=4.5), seed)[1] for seed in range(5)]
    assert all(each is not None and each <= 20 for each in calls), calls


def test_a_local_copy_sees_a_lower_temperature() -> None:
    assert all(hear(MODEL, seed, 0.7, log_ranks)[1] is not None for seed in range(2))
    assert hear(MODEL, 2, 1.0, log_ranks)[1] is None


def test_a_local_copy_of_the_model_may_keep_the_score() -> None:
    by = yardstick({"0": ["a", "b", "c", "d"]}, local=lambda _prompt, text: float(len(text)))
    assert by.ranked == {"0": ["a", "b", "c", "d"]}


def test_answers_that_teach_the_score_are_ranked_nowhere() -> None:
    by = yardstick({"0": ["one", "two", "three", "four"]})
    assert by.ranked == {"0": ["three", "four"]}
    assert by.scores["wording"][1]("0", "one") < by.scores["wording"][1]("0", "three")


def test_too_few_answers_are_refused_by_name_of_prompt() -> None:
    with pytest.raises(ValueError, match="too few to list-01"):
        yardstick({"list-01": ["a", "b", "c"]})


def test_several_tests_are_corrected_as_holm_says() -> None:
    tests = [Outcome(str(p), 0.0, p, 1) for p in (0.01, 0.04, 0.03)]
    assert adjusted(tests) == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([]) == []
