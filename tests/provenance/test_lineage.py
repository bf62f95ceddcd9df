from __future__ import annotations

import numpy as np
import pytest

from stillwatch.provenance.lineage import (
    Familiarity,
    HarvestReport,
    Lean,
    LineageReport,
    Model,
    compare,
    compare_harvest,
)
from stillwatch.provenance.tails import binomial_tail

PROMPTS = 4000
SLOPE = 0.045  # of agreement by ability, as between an independent base (.390) and a longer trained one (.436)


def models(rng: np.random.Generator, abilities: list[float], spread: float = 0.004) -> list[Model]:
    """Models whose agreement follows their ability, as that of independent models does, with some spread."""
    ease = rng.normal(0, 1, PROMPTS)
    return [
        model(rng, ease, f"model-{at}", each, 0.40 + SLOPE * each + rng.normal(0, spread))
        for at, each in enumerate(abilities)
    ]


def model(rng: np.random.Generator, ease: np.ndarray, name: str, ability: float, agreement: float) -> Model:
    """Agreement on the prompts that are easiest, with noise, so that models agree with each other too."""
    scores = ease + rng.normal(0, 0.6, PROMPTS)
    return Model(name, scores > np.quantile(scores, 1 - agreement), ability)


def naive(suspect: Model, control: Model) -> float:
    alone = int((suspect.agrees & ~control.agrees).sum())
    return binomial_tail(alone, alone + int((~suspect.agrees & control.agrees).sum()), 0.5).log10


@pytest.mark.parametrize("seed", range(5))
def test_a_student_of_nine_parts_human_text_is_not_convicted_for_being_better_trained(seed: int) -> None:
    """Its agreement is .436 and the base's .390, so that comparing the two alone 'convicts' it at 1e-10 and below."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 1, PROMPTS)
    base = model(rng, ease, "base", 0.0, 0.390)
    student = model(rng, ease, "student", 0.8, 0.436)
    assert naive(student, base) < -6
    assert compare(student, [base]).lean is Lean.NOT_EVALUATED
    weak = [model(rng, ease, f"weak-{at}", 0.01 * at, 0.390 + rng.normal(0, 0.004)) for at in range(12)]
    assert compare(student, weak).lean is not Lean.SUGGESTIVE
    able = [model(rng, ease, f"able-{at}", 0.7 + 0.02 * at, 0.434 + rng.normal(0, 0.004)) for at in range(12)]
    report = compare(student, [*weak, *able])
    assert report.lean is Lean.NOTHING, report.because


def test_a_student_that_agrees_far_more_than_able_models_do_is_suggestive_and_no_more() -> None:
    rng = np.random.default_rng(11)
    ease = rng.normal(0, 1, PROMPTS)
    controls = [model(rng, ease, f"able-{at}", 0.7 + 0.02 * at, 0.436 + rng.normal(0, 0.004)) for at in range(12)]
    report = compare(model(rng, ease, "student", 0.8, 0.52), controls)
    assert report.lean is Lean.SUGGESTIVE
    assert report.rank == pytest.approx(1 / 13)
    assert {each.value for each in Lean} == {"suggestive", "nothing to see", "not evaluated"}


def test_the_rank_is_calibrated_when_the_suspect_is_one_of_the_models() -> None:
    rng = np.random.default_rng(12)
    ranks, spread = [], []
    for _ in range(200):
        suspect, *controls = models(rng, [0.8, *(0.7 + 0.02 * at for at in range(12))])
        report = compare(suspect, controls)
        ranks.append(report.rank)
        spread.append(report.spread_p)
        assert report.lean is not Lean.SUGGESTIVE
    for level in (0.1, 0.25, 0.5):
        assert np.mean(np.array(ranks) <= level) < level + 0.09
        assert np.mean(np.array(spread) <= level) < level + 0.09


def test_controls_that_are_less_able_are_no_controls() -> None:
    rng = np.random.default_rng(13)
    suspect, *controls = models(rng, [0.81, *(0.82 - 0.01 * at for at in range(12))])
    report = compare(suspect, controls)
    assert report.lean is Lean.NOT_EVALUATED
    assert report.because.startswith("1 controls are as able")


def test_different_prompts_are_refused() -> None:
    rng = np.random.default_rng(14)
    suspect, *controls = models(rng, [0.8] * 12)
    with pytest.raises(ValueError, match="prompts"):
        compare(Model("s", suspect.agrees[:10], 0.8), controls)


def known(rng: np.random.Generator, treated: float, shift: float = 0.0) -> Familiarity:
    return Familiarity("m", rng.normal(treated + shift, 1, 300), rng.normal(0, 1, 300))


def test_a_suspect_that_knows_what_was_harvested_is_suggestive() -> None:
    rng = np.random.default_rng(15)
    report = compare_harvest(known(rng, 0.6), [known(rng, 0.0) for _ in range(8)])
    assert report.lean is Lean.SUGGESTIVE


def test_where_every_model_knows_the_harvested_set_better_the_sets_differ_and_nobody_is_accused() -> None:
    rng = np.random.default_rng(16)
    report = compare_harvest(known(rng, 0.6), [known(rng, 0.5) for _ in range(8)])
    assert report.lean is Lean.NOTHING
    assert "too" in report.because


def test_without_controls_the_harvest_says_nothing() -> None:
    rng = np.random.default_rng(17)
    assert compare_harvest(known(rng, 2.0), []).lean is Lean.NOT_EVALUATED
    assert compare_harvest(known(rng, 0.0), [known(rng, 0.0) for _ in range(8)]).lean is Lean.NOTHING


def test_the_harvest_test_is_calibrated_under_the_null() -> None:
    rng = np.random.default_rng(18)
    reports: list[HarvestReport | LineageReport] = []
    ps = []
    for _ in range(80):
        report = compare_harvest(known(rng, 0.0), [known(rng, 0.0) for _ in range(8)])
        ps.append(report.tail.p)
        reports.append(report)
    assert np.mean(np.array(ps) < 0.05) < 0.12
    assert sum(each.lean is Lean.SUGGESTIVE for each in reports) <= 3
