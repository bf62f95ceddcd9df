"""Conversations that go on speak for people; single questions say nothing."""

from __future__ import annotations

from stillwatch.signals.natural_multi_turn import natural_multi_turn
from tests.signals.build import among, exculpates, group, is_silent

RING = range(0, 600, 20)


def test_speaks_for_people_who_talk_back():
    crowd = group(RING, exchanges=100, single=10, talk=90, common=0)
    assert exculpates(natural_multi_turn(crowd, among(crowd)))


def test_a_frame_that_all_of_them_repeat_on_every_turn_is_injected_and_speaks_for_nobody():
    relay = group(RING, exchanges=100, single=10, talk=90)
    assert is_silent(natural_multi_turn(relay, among(relay)))


def test_stays_silent_on_single_questions():
    ring = group(RING, exchanges=100, single=95, talk=5)
    assert is_silent(natural_multi_turn(ring, among(ring)))


def test_stays_silent_below_thirty_exchanges():
    few = group(RING[:4], exchanges=5, single=0, talk=5)
    assert is_silent(natural_multi_turn(few, among(few)))


def test_stays_silent_on_the_loops_of_an_agent_that_calls_tools():
    agents = group(RING, exchanges=100, single=5, talk=0)
    assert is_silent(natural_multi_turn(agents, among(agents)))
