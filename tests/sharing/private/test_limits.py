"""One partner's questions are counted over hours and days, and one too many is refused with how long to wait."""

from __future__ import annotations

from stillwatch.sharing.private.limits import DAY, HOUR, Asked, Rates, refusal

RATES = Rates(sessions_per_hour=2, elements_per_day=5_000)


def test_the_third_question_within_the_hour_is_refused_and_an_hour_later_it_is_not() -> None:
    asked = [Asked(0.0, "b", 1_024), Asked(600.0, "b", 1_024)]
    told = refusal(RATES, asked, "b", 1_024, 900.0)
    assert told is not None
    assert "2 are allowed; wait 2700 s" in told
    assert refusal(RATES, asked, "b", 1_024, HOUR + 1) is None


def test_many_questions_of_different_hours_share_the_elements_of_a_day() -> None:
    asked = [Asked(at * HOUR, "b", 1_024) for at in range(4)]
    assert refusal(RATES, asked, "b", 1_024, 10 * HOUR) is not None
    assert refusal(RATES, asked, "b", 904, 10 * HOUR) is None
    assert refusal(RATES, asked, "b", 1_024, DAY + 1) is None


def test_one_partner_s_questions_cost_another_nothing() -> None:
    asked = [Asked(0.0, "b", 5_000)] * 9
    assert refusal(RATES, asked, "c", 5_000, 1.0) is None
