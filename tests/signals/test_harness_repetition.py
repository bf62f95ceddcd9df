"""Strangers who ask the very same questions share a public source; a harvest asks each once."""

from __future__ import annotations

from stillwatch.signals.harness_repetition import harness_repetition
from tests.signals.build import among, exculpates, group, is_silent

RING = range(0, 600, 20)


def test_speaks_for_labs_that_run_one_benchmark():
    labs = group(RING, asked=[range(200) for _ in RING])
    assert exculpates(harness_repetition(labs, among(labs)))


def test_speaks_for_students_with_one_assignment():
    course = group(RING, asked=[[*range(8), 100 + at] for at in range(30)])
    assert exculpates(harness_repetition(course, among(course)))


def test_stays_silent_on_a_list_dealt_out_over_accounts():
    ring = group(RING, exchanges=100)
    assert is_silent(harness_repetition(ring, among(ring)))


def test_stays_silent_on_a_harvest_that_asks_each_question_twice():
    ring = group(RING, asked=[[*range(at * 50, at * 50 + 50)] * 2 for at in range(30)])
    assert is_silent(harness_repetition(ring, among(ring)))


def test_stays_silent_below_thirty_exchanges():
    few = group(RING[:5], asked=[range(5) for _ in range(5)])
    assert is_silent(harness_repetition(few, among(few)))
