"""A class or a hackathon looks like a pool from afar; people work in sittings and unevenly, a scheduler does not."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.event_crowd import event_crowd
from stillwatch.sketch.population import DAY_US, HOUR_US
from tests.signals.build import END, START, among, dealt, exculpates, group, is_silent, same

CLASS = range(0, 600, 20)
OPENS = START + 5 * DAY_US
EVENING = {account: OPENS + at * HOUR_US // 10 for at, account in enumerate(CLASS)}
WEEKEND = {"first_ts": OPENS + HOUR_US, "last_ts": OPENS + 2 * DAY_US}


def uneven(members: int) -> list[int]:
    return np.maximum(np.random.default_rng(4).lognormal(3.0, 1.0, members), 1).astype(int).tolist()


def test_speaks_for_a_weekend_crowd_that_signed_up_the_same_evening():
    crowd = group(CLASS, exchanges=uneven(30), **WEEKEND)
    assert exculpates(event_crowd(crowd, among(crowd, created_at=EVENING)))


def test_speaks_for_a_class_with_a_quota_that_works_in_sittings():
    crowd = group(CLASS, exchanges=20, active_hours=3, **WEEKEND)
    assert exculpates(event_crowd(crowd, among(crowd, created_at=EVENING)))


def test_speaks_for_a_room_of_students_each_at_a_machine_of_his_own():
    crowd = group(CLASS, exchanges=20, active_hours=19, first_ts=START, last_ts=END)
    machines = {account: [f"client-{at % 11}|64500"] for at, account in enumerate(CLASS)}
    population = among(crowd, ip=same(CLASS, ["192.0.2.1"]), stack_asn=machines)
    assert exculpates(event_crowd(crowd, population))


def test_stays_silent_on_a_pool_made_in_one_batch_that_a_scheduler_keeps_even():
    pool = group(CLASS, exchanges=20, active_hours=19, **WEEKEND)
    assert is_silent(event_crowd(pool, among(pool, created_at=EVENING)))


def test_stays_silent_on_one_machine_behind_one_address():
    pool = group(CLASS, exchanges=20, active_hours=19, first_ts=START, last_ts=END)
    population = among(pool, ip=same(CLASS, ["192.0.2.1"]), stack_asn=same(CLASS, ["odd|64999"]))
    assert is_silent(event_crowd(pool, population))


@pytest.mark.parametrize("tie", ["payment_fingerprint", "phone_hash"])
def test_no_event_explains_that_strangers_are_paid_for_together(tie):
    pool = group(CLASS, exchanges=uneven(30), **WEEKEND)
    population = among(pool, created_at=EVENING, **{tie: dealt(CLASS, ["v-1", "v-2", "v-3"])})
    assert is_silent(event_crowd(pool, population))


def test_stays_silent_on_strangers_who_came_when_they_liked():
    crowd = group(CLASS, exchanges=uneven(30))
    assert is_silent(event_crowd(crowd, among(crowd)))


def test_a_handful_is_no_crowd():
    few = group(range(0, 80, 20), exchanges=uneven(4), **WEEKEND)
    assert event_crowd(few, among(few, created_at=EVENING)) is None
