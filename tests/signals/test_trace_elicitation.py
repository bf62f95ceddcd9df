"""Traffic that asks for reasoning to be written out, far more than everyone does."""

from __future__ import annotations

from stillwatch.signals.trace_elicitation import trace_elicitation
from tests.signals.build import SIZE, among, fires, group, is_silent

RING = range(0, 600, 20)


def test_fires_when_most_exchanges_ask_for_it():
    ring = group(RING, exchanges=100, trace=80)
    population = among(ring)
    found = trace_elicitation(ring, population)
    assert fires(found, ring, population)
    assert "80%" in found.because


def test_stays_silent_where_everyone_asks_for_it():
    ring = group(RING, exchanges=100, trace=80)
    everyone = dict.fromkeys(range(SIZE), 100)
    asks = dict.fromkeys(range(SIZE), 80)
    assert is_silent(trace_elicitation(ring, among(ring, exchanges=everyone, trace=asks)))


def test_stays_silent_on_the_odd_question_of_ordinary_people():
    crowd = group(RING, exchanges=100, trace=4)
    assert is_silent(trace_elicitation(crowd, among(crowd)))


def test_stays_silent_below_twenty_exchanges():
    few = group(RING[:3], exchanges=5, trace=5)
    assert is_silent(trace_elicitation(few, among(few)))
