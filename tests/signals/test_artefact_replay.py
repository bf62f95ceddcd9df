"""Handles that cross accounts tie them, within one organisation they do not."""

from __future__ import annotations

from stillwatch.signals.artefact_replay import artefact_replay
from tests.signals.build import among, fires, group, is_silent, same

RING = range(0, 200, 20)
REPLAYS = [(0, 20, 5), (20, 40, 3), (60, 80, 4)]


def test_fires_when_members_submit_each_others_handles():
    ring = group(RING)
    population = among(ring, replays=REPLAYS)
    found = artefact_replay(ring, population)
    assert fires(found, ring, population)
    assert "12 opaque handles" in found.because
    assert set(found.cites) == set(population.replays.cites)


def test_ties_only_the_members_that_are_involved():
    ring = group(RING)
    found = artefact_replay(ring, among(ring, replays=REPLAYS))
    involved = {account for minted, submitted, _ in REPLAYS for account in (minted, submitted)}
    assert {int(account) for account in ring.accounts[found.members > 0]} == involved


def test_stays_silent_on_sticky_sessions_of_one_declared_organisation():
    ring = group(RING)
    assert is_silent(artefact_replay(ring, among(ring, replays=REPLAYS, org_id=same(RING, "reseller"))))


def test_two_accounts_without_an_organisation_are_not_one_organisation():
    ring = group(RING)
    population = among(ring, replays=REPLAYS, org_id=same(RING, None))
    assert fires(artefact_replay(ring, population), ring, population)


def test_stays_silent_on_replays_outside_the_group():
    ring = group(RING)
    assert is_silent(artefact_replay(ring, among(ring, replays=[(0, 21, 50), (22, 23, 50)])))


def test_stays_silent_on_a_single_replay():
    ring = group(RING)
    assert is_silent(artefact_replay(ring, among(ring, replays=[(0, 20, 1)])))
