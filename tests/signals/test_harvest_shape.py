"""One question, one long answer, no follow-up: the shape of a data set, not of a conversation."""

from __future__ import annotations

from stillwatch.signals.harvest_shape import harvest_shape
from tests.signals.build import SIZE, among, fires, group, is_silent

RING = range(0, 600, 20)
HARVEST = {"single": 100, "input_tokens": 20_000, "output_tokens": 200_000, "saturated": 60}


def test_fires_on_single_questions_with_long_answers():
    ring = group(RING, exchanges=100, **HARVEST)
    population = among(ring)
    assert fires(harvest_shape(ring, population), ring, population)


def test_stays_silent_on_conversations():
    crowd = group(RING, exchanges=100)
    assert is_silent(harvest_shape(crowd, among(crowd)))


def test_stays_silent_where_everyone_asks_single_questions():
    ring = group(RING, exchanges=100, single=100, input_tokens=60_000, output_tokens=60_000)
    shape = {"exchanges": 100, "single": 100, "input_tokens": 60_000, "output_tokens": 60_000}
    everyone = {name: dict.fromkeys(range(SIZE), value) for name, value in shape.items()}
    assert is_silent(harvest_shape(ring, among(ring, **everyone)))


def test_judges_turns_alone_where_tokens_are_not_logged():
    ring = group(RING, exchanges=100, single=100, input_tokens=0, output_tokens=0)
    population = among(ring, absent=["input_tokens", "output_tokens", "max_tokens"])
    found = harvest_shape(ring, population)
    assert fires(found, ring, population)
    assert "token" not in found.because


def test_stays_silent_below_thirty_exchanges():
    few = group(RING[:4], exchanges=5, single=5, input_tokens=100, output_tokens=10_000, saturated=5)
    assert is_silent(harvest_shape(few, among(few)))
