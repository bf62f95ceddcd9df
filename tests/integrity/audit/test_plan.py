from __future__ import annotations

from stillwatch.integrity.audit.hearing import yardstick
from stillwatch.integrity.audit.plan import power_against, power_at_shift
from stillwatch.lab.tiny_models import random_model
from tests.integrity.audit.test_hearing import MODEL, said

BY = yardstick(said(MODEL, 10, 7))


def test_power_against_what_was_recorded_is_high_for_another_model_and_low_for_the_same() -> None:
    other = power_against(BY, said(random_model(2, spread=4.5), 2, 8), 30, 0.001)
    same = power_against(BY, said(MODEL, 2, 9), 30, 0.001)
    assert other.chance > 0.9
    assert other.median_calls is not None
    assert other.median_calls <= 20
    assert (same.chance <= 0.05, same.median_calls) == (True, None)


def test_power_grows_with_the_shift_and_with_the_calls() -> None:
    few = [power_at_shift(BY, shift, 25, 0.001).chance for shift in (0.95, 0.7, 0.55)]
    assert few == sorted(few, reverse=True)
    assert power_at_shift(BY, 0.7, 100, 0.001).chance > few[1]
