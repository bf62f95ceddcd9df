"""One frame and ever new fills is a harvest; a test suite repeats, and a person has other things to ask."""

from __future__ import annotations

from stillwatch.signals.template_novelty import template_novelty
from tests.signals.build import among, bits_of, fires, group, is_silent

RING = range(0, 600, 20)


def test_fires_on_one_frame_with_ever_new_fills():
    ring = group(RING, exchanges=100)
    population = among(ring)
    assert fires(template_novelty(ring, population), ring, population)


def test_stays_silent_on_a_suite_that_is_run_again():
    suite = group(RING, asked=[list(range(20)) * 5 for _ in RING])
    assert is_silent(template_novelty(suite, among(suite)))


def test_says_less_about_a_frame_that_is_a_small_part_of_its_users_week():
    ring = group(RING, exchanges=4)
    busy = among(ring, exchanges=dict.fromkeys(RING, 2_000))
    assert bits_of(template_novelty(ring, busy)) < bits_of(template_novelty(ring, among(ring)))


def test_stays_silent_below_thirty_exchanges():
    few = group(RING[:5], exchanges=5)
    assert is_silent(template_novelty(few, among(few)))
