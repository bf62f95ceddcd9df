"""Volumes roll: what is older than an hour or a day falls out, and memory stays bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.apps.gateway.live.rolling import MINUTE, Ring, Rolling, SincePublished, Volumes

HOUR = 60 * MINUTE
NOW = 1_772_355_600_000_000


def test_exchanges_fall_out_of_the_hour_and_then_of_the_day() -> None:
    rolling = Rolling()
    for minute in range(0, 60, 10):
        rolling.add("a", NOW + minute * MINUTE, 100)
    assert rolling.volumes("a", NOW + 55 * MINUTE) == Volumes(6, 6, 600)
    assert rolling.volumes("a", NOW + 90 * MINUTE) == Volumes(2, 6, 600)
    assert rolling.volumes("a", NOW + 23 * HOUR) == Volumes(0, 6, 600)
    assert rolling.volumes("a", NOW + 25 * HOUR) == Volumes()


def test_an_account_that_was_never_seen_did_nothing() -> None:
    assert Rolling().volumes("a", NOW) == Volumes()


def test_the_account_that_was_idle_longest_is_forgotten_first() -> None:
    rolling = Rolling(most=2)
    for account in ("a", "b", "a", "c"):
        rolling.add(account, NOW, 1)
    assert len(rolling) == 2
    assert rolling.volumes("b", NOW) == Volumes()
    assert rolling.volumes("a", NOW).exchanges_hour == 2


def test_a_clock_that_goes_back_loses_nothing() -> None:
    ring = Ring(12, 5 * MINUTE)
    ring.add(NOW, 1)
    ring.add(NOW - 3 * HOUR, 1)
    assert ring.sum(NOW) == 2


@given(st.lists(st.integers(0, 200), max_size=60).map(sorted), st.integers(0, 300))
def test_a_ring_counts_what_lies_in_its_stretches(minutes: list[int], later: int) -> None:
    ring = Ring(12, 5 * MINUTE)
    for minute in minutes:
        ring.add(NOW + minute * MINUTE, 1)
    end = max([*minutes, later])
    inside = [minute for minute in minutes if minute // 5 > end // 5 - 12]
    assert ring.sum(NOW + end * MINUTE) == len(inside)


def test_a_campaign_is_counted_from_the_end_of_what_was_published() -> None:
    since = SincePublished()
    for minute in range(5):
        since.add("C", NOW + minute * MINUTE)
    assert since.count("C", NOW) == 5
    assert since.count("C", NOW + 3 * MINUTE) == 2
    assert since.count("D", NOW) == 0
    since.forget(NOW + 3 * MINUTE)
    assert since.count("C", NOW) == 2
    since.forget(NOW + HOUR)
    assert since.count("C", NOW) == 0
