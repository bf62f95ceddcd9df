"""A harvest run on discounted programmes; one scholar among customers is no such thing."""

from __future__ import annotations

from stillwatch.signals.programme_mismatch import programme_mismatch
from tests.signals.build import SIZE, among, fires, group, is_silent, same

RING = range(0, 600, 20)
HARVEST = {"exchanges": 100, "single": 100}


def test_fires_on_a_group_enrolled_in_a_programme():
    ring = group(RING, **HARVEST)
    population = among(ring, program=same(RING, "education"))
    found = programme_mismatch(ring, population)
    assert fires(found, ring, population)
    assert "100%" in found.because


def test_stays_silent_where_everyone_is_enrolled():
    ring = group(RING, **HARVEST)
    assert is_silent(programme_mismatch(ring, among(ring, program=same(range(SIZE), "education"))))


def test_stays_silent_on_two_scholars_among_customers():
    crowd = group(RING, **HARVEST)
    assert is_silent(
        programme_mismatch(crowd, among(crowd, program=same(RING, None) | {0: "research", 20: "research"}))
    )


def test_stays_silent_on_a_course_whose_students_converse():
    course = group(RING, exchanges=100, single=30)
    assert is_silent(programme_mismatch(course, among(course, program=same(RING, "education"))))


def test_stays_silent_on_a_class_with_one_assignment():
    course = group(RING, asked=[range(10) for _ in RING], single=10)
    assert is_silent(programme_mismatch(course, among(course, program=same(RING, "education"))))
