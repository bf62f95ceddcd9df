"""A workload is switched on for all accounts at once; a tool is found by one customer after another."""

from __future__ import annotations

import numpy as np

from stillwatch.signals.joint_onset import joint_onset
from stillwatch.sketch.population import DAY_US, HOUR_US
from tests.signals.build import START, among, fires, group, is_silent

RING = range(0, 600, 20)
MORNING = START + 6 * DAY_US


def test_fires_on_accounts_that_take_up_a_frame_within_hours():
    ring = group(RING, first_ts=[MORNING + at * HOUR_US // 20 for at in range(30)])
    population = among(ring)
    assert fires(joint_onset(ring, population), ring, population)


def test_stays_silent_on_customers_who_find_a_tool_one_after_another():
    first = START + np.linspace(0, 12, 30) * DAY_US
    crowd = group(RING, first_ts=first.astype(np.int64).tolist())
    assert is_silent(joint_onset(crowd, among(crowd)))


def test_two_members_of_one_morning_are_not_an_onset():
    first = (START + np.linspace(0, 12, 30) * DAY_US).astype(np.int64).tolist()
    first[1] = first[0] + HOUR_US
    crowd = group(RING, first_ts=first)
    assert is_silent(joint_onset(crowd, among(crowd)))
