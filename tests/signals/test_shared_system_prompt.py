"""A rare system prompt ties accounts, one of a popular tool ties nobody."""

from __future__ import annotations

from stillwatch.signals.shared_system_prompt import shared_system_prompt
from tests.signals.build import FAINT, SIZE, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
FEW = [[f"script-{at}"] for at in range(5)]


def test_fires_on_accounts_that_send_one_rare_system_prompt():
    ring = group(RING)
    population = among(ring, system_key=dealt(RING, FEW))
    found = shared_system_prompt(ring, population)
    assert fires(found, ring, population)
    assert "30 of 30" in found.because


def test_ties_only_the_members_that_share():
    ring = group(RING)
    sharing = [account for account in RING if account < 300]
    found = shared_system_prompt(ring, among(ring, system_key=dealt(sharing, FEW)))
    assert found.members[:15].min() > 1.0 > found.members[15:].max()


def test_stays_silent_on_a_popular_agent_tool():
    ring = group(RING)
    assert is_silent(shared_system_prompt(ring, among(ring, system_key=same(range(SIZE), ["agent-tool"]))))


def test_stays_silent_on_strangers():
    ring = group(RING)
    assert is_silent(shared_system_prompt(ring, among(ring)))


def test_one_coincidence_between_two_members_is_not_evidence():
    ring = group(RING)
    assert bits_of(shared_system_prompt(ring, among(ring, system_key=same([0, 20], ["once"])))) < FAINT
