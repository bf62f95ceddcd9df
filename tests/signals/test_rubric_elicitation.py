"""Traffic that asks for grades against a rubric, far more than everyone does."""

from __future__ import annotations

from stillwatch.signals.rubric_elicitation import rubric_elicitation
from tests.signals.build import SIZE, among, fires, group, is_silent

RING = range(0, 600, 20)


def test_fires_when_most_exchanges_ask_for_it():
    ring = group(RING, exchanges=100, rubric=80)
    population = among(ring)
    found = rubric_elicitation(ring, population)
    assert fires(found, ring, population)
    assert "80%" in found.because


def test_stays_silent_where_everyone_asks_for_it():
    ring = group(RING, exchanges=100, rubric=80)
    everyone = dict.fromkeys(range(SIZE), 100)
    asks = dict.fromkeys(range(SIZE), 80)
    assert is_silent(rubric_elicitation(ring, among(ring, exchanges=everyone, rubric=asks)))


def test_stays_silent_on_the_odd_question_of_ordinary_people():
    crowd = group(RING, exchanges=100, rubric=4)
    assert is_silent(rubric_elicitation(crowd, among(crowd)))


def test_stays_silent_below_twenty_exchanges():
    few = group(RING[:3], exchanges=5, rubric=5)
    assert is_silent(rubric_elicitation(few, among(few)))
