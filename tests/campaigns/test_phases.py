"""Phases last: one odd day is none, a new aim is named with its first day, and a search is told from its harvest."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.attribution.claims import claims_of
from stillwatch.campaigns.describe import Facts
from stillwatch.campaigns.phases import Closer, bucket_days, find_phases, look_closer, reconnaissance
from stillwatch.ingest.engine import Engine
from stillwatch.sketch.intent import CAPABILITIES
from tests.campaigns.evidence import ATTACK, weighed

MARCH = 20_513  # 1 March 2026, in days since 1970


def days(*counts: tuple[str, int], start: int = MARCH):
    return tuple((start + at, name, count) for at, (name, count) in enumerate(counts))


def test_one_aim_is_one_phase():
    (phase,) = find_phases(days(*[("coding", 50)] * 6), 1)
    assert (phase.first, phase.last, phase.capability, phase.share, phase.exchanges) == (
        MARCH, MARCH + 5, "coding", 1.0, 300)  # fmt: skip


def test_a_new_aim_begins_on_its_first_day():
    first, second = find_phases(days(*[("reasoning", 40)] * 5, *[("agentic", 90)] * 4), 1)
    assert (first.capability, first.last) == ("reasoning", MARCH + 4)
    assert (second.capability, second.first, second.exchanges) == ("agentic", MARCH + 5, 360)


def test_one_odd_day_is_no_phase():
    odd = days(*[("coding", 50)] * 4, ("vision", 50), *[("coding", 50)] * 4)
    assert [one.capability for one in find_phases(odd, 1)] == ["coding"]
    at_the_start = days(("vision", 50), *[("coding", 50)] * 4)
    assert [one.capability for one in find_phases(at_the_start, 1)] == ["coding"]


def test_a_day_that_nothing_leads_joins_the_day_before():
    even = tuple((MARCH + 2, name, 10) for name in ("coding", "vision", "writing"))
    rows = (*days(*[("coding", 50)] * 2), *even, *days(*[("coding", 50)] * 2, start=MARCH + 3))
    (phase,) = find_phases(rows, 1)
    assert phase.last == MARCH + 4


def test_no_days_have_no_phase():
    assert find_phases((), 1) == ()
    assert reconnaissance((), 1) is None
    assert bucket_days(()) == 1


def test_long_campaigns_are_looked_at_in_weeks():
    rows = days(*[("coding", 5)] * 80)
    assert bucket_days(rows) == 7
    assert len(find_phases(rows, 7)) == 1


def test_a_search_is_small_and_its_harvest_many_times_as_large():
    searched = days(*[("reasoning", 10)] * 5, *[("reasoning", 200)] * 4)
    assert reconnaissance(searched, 1) == (MARCH + 5, 20.0)


@pytest.mark.parametrize(
    "counts", [[100] * 9, [10, 20, 40, 60, 80, 90, 100, 100, 100], [5, 300, 5, 300, 5, 300], [5, 300, 300, 300]]
)
def test_what_grows_evenly_or_jumps_about_had_no_search(counts):
    assert reconnaissance(days(*(("coding", count) for count in counts)), 1) is None


def test_the_engine_sums_days_and_keys_of_each_group():
    rows = pa.table({
        "grp": [0, 0, 0, 1], "account": [1, 1, 2, 9], "hour": [24, 25, 48, 24],
        "capability": pa.array([1, 1, 2, 0], pa.int8()), "template_key": [7, 7, 8, 7], "system_key": [0, 5, 5, 0],
        "tools_key": [0, 0, 0, 0],
    })  # fmt: skip
    with Engine() as engine:
        told = look_closer(engine, engine.register("rows", rows))
    assert told[0].days == ((1, CAPABILITIES[1], 2), (2, CAPABILITIES[2], 1))
    assert told[0].keys == {"template_key": {7: (2, 1), 8: (1, 1)}, "system_key": {5: (2, 2)}}
    assert told[1].days == ((1, CAPABILITIES[0], 1),)


def test_the_story_says_what_was_sought_first_and_what_later():
    closer = Closer(days(*[("reasoning", 10)] * 5, *[("agentic", 200)] * 4))
    story = claims_of(weighed(ATTACK), Facts(850, 0, 0, 1, {}, (), closer), None)
    told = [claim.text for claim in story]
    assert "sought over time: first reasoning (100%), from 6 March mostly agentic (100%)" in told
    assert "small until 6 March, then 20 times as many exchanges: a search, then its harvest" in told
