"""A harvest run on discounted programmes; one scholar among customers is no such thing."""

from __future__ import annotations

from stillwatch.signals.programme_mismatch import programme_mismatch
from tests.signals.build import SIZE, among, bits_of, dealt, fires, group, is_silent, same

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


def test_a_few_scholars_in_a_handful_say_less_than_as_large_a_share_of_many():
    def found(accounts):
        told = group(accounts, **HARVEST)
        some = dealt(accounts, ["research", None, None, None])
        return bits_of(programme_mismatch(told, among(told, program=same(range(SIZE), None) | usual | some)))

    usual = dealt(range(SIZE), ["education", *[None] * 13])
    assert found(range(0, 80, 10)) < found(range(0, 2_000, 10)) - 0.3
