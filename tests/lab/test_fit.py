"""Weights are fitted on the tuning split alone, and a fit recovers what was planted in its examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import stillwatch.actions.policy as policy_module
from stillwatch.actions.policy import CALIBRATION, WEIGHTS, Policy
from stillwatch.lab import calibrate, fit
from stillwatch.lab.evaluate import plan
from stillwatch.model import Axis, Family, UsageError
from stillwatch.signals.roster import ROSTER

ACTIONS = Path(policy_module.__file__).parent
KINDS = {
    "honest": (Axis.COORDINATION, Family.IDENTITY),
    "noise": (Axis.COORDINATION, Family.TIMING),
    "shape": (Axis.EXTRACTION, Family.CONTENT),
    "hiding": (Axis.DECEPTION, Family.IDENTITY),
}


def example(number: int, planted: bool, bits: Mapping[str, float]) -> Any:
    findings = [
        (SimpleNamespace(name=name, axis=KINDS[name][0], family=KINDS[name][1]), SimpleNamespace(bits=value))
        for name, value in bits.items()
    ]
    group = SimpleNamespace(size=40, exchanges=1_000)
    assessment = SimpleNamespace(findings=findings, group=group)
    return SimpleNamespace(assessment=assessment, planted=float(planted), who=f"class-{number}", replay=number)


def made(seed: int) -> list[Any]:
    """Groups where one signal tells campaigns apart and another says the same of everyone."""
    chance = np.random.default_rng(seed)
    examples = []
    for number in range(400):
        planted = number % 4 == 0
        bits = {
            "honest": max(0.1, chance.normal(7.0 if planted else 1.0, 1.0)),
            "noise": max(0.1, chance.normal(4.0, 1.5)),
            "shape": max(0.1, chance.normal(6.0, 1.0)),
            "hiding": max(0.1, chance.normal(5.0, 1.0)),
        }
        examples.append(example(number, planted, bits))
    return examples


def test_trusts_the_signal_that_tells_campaigns_apart_more_than_one_that_speaks_of_everyone():
    weights = fit.weights_of(made(1))
    assert weights["honest"] > weights["noise"]
    assert weights["noise"] < 0.97


def test_order_of_examples_changes_no_weight():
    examples = made(2)
    assert fit.weights_of(examples) == pytest.approx(fit.weights_of(examples[::-1]), abs=0.011)


def test_the_report_split_is_never_fitted_on():
    with pytest.raises(UsageError, match="report"):
        fit.requests("report")
    assert {one.split for one in fit.requests()} == {"tuning"}


def test_shipped_weights_were_fitted_on_the_tuning_split_with_the_words_of_this_tree():
    stored = json.loads((ACTIONS / "weights.json").read_text(encoding="utf-8"))
    assert stored["split"] == "tuning"
    assert stored["material"] == fit.material_hash("tuning") != fit.material_hash("report"), "fit and calibrate again"
    assert set(stored["weights"]) <= {signal.name for signal in ROSTER}
    assert all(fit.BOUNDS[0] <= weight <= fit.BOUNDS[1] for weight in stored["weights"].values())
    assert Policy().weights == WEIGHTS


def test_no_seed_that_was_fitted_on_is_reported_on():
    stored = json.loads((ACTIONS / "weights.json").read_text(encoding="utf-8"))
    fitted = {*stored["seeds"], *calibrate.TUNING}
    assert not fitted & set(plan.SEEDS)
    assert "tuning replays" in CALIBRATION.source
