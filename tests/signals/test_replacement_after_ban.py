"""Accounts made on the days after others were banned, and not those made whenever."""

from __future__ import annotations

from stillwatch.signals.replacement_after_ban import replacement_after_ban
from stillwatch.sketch.population import DAY_US, HOUR_US
from tests.signals.build import SIZE, START, among, fires, group, is_silent, same

RING = range(0, 400, 20)
BANNED, NEW = list(RING)[:8], list(RING)[8:]
BAN = START + 4 * DAY_US + 7 * HOUR_US


def test_fires_when_members_are_created_right_after_others_are_suspended():
    ring = group(RING)
    refill = {account: BAN + (3 + at) * HOUR_US for at, account in enumerate(NEW)}
    population = among(ring, suspended_at=same(BANNED, BAN), created_at=refill)
    found = replacement_after_ban(ring, population)
    assert fires(found, ring, population)
    assert found.members.min() > 0  # the banned and their replacements are tied


def test_stays_silent_when_members_were_created_long_before():
    ring = group(RING)
    assert is_silent(replacement_after_ban(ring, among(ring, suspended_at=same(BANNED, BAN))))


def test_stays_silent_when_strangers_sign_up_on_those_days_too():
    ring = group(RING)
    launch = {account: BAN + account % 40 * HOUR_US for account in range(SIZE) if account not in BANNED}
    assert is_silent(replacement_after_ban(ring, among(ring, suspended_at=same(BANNED, BAN), created_at=launch)))


def test_stays_silent_on_signups_before_the_ban():
    ring = group(RING)
    before = {account: BAN - (30 + at) * HOUR_US for at, account in enumerate(NEW)}
    assert is_silent(replacement_after_ban(ring, among(ring, suspended_at=same(BANNED, BAN), created_at=before)))


def test_stays_silent_on_fewer_than_three_bans():
    ring = group(RING)
    refill = same(NEW, BAN + 5 * HOUR_US)
    assert is_silent(replacement_after_ban(ring, among(ring, suspended_at=same(BANNED[:2], BAN), created_at=refill)))
