"""A handful of accounts with one frame is a script, thousands are a tool."""

from __future__ import annotations

from stillwatch.signals.template_co_use import template_co_use
from tests.signals.build import among, bits_of, fires, group, is_silent

RING = range(0, 600, 20)


def test_fires_on_a_frame_that_only_a_handful_fill():
    ring = group(RING)
    population = among(ring)
    assert fires(template_co_use(ring, population), ring, population)


def test_stays_silent_on_a_tool_that_most_accounts_use():
    tool = group(range(1_800), exchanges=10)
    assert is_silent(template_co_use(tool, among(tool)))


def test_says_less_the_more_popular_the_frame():
    said = [
        bits_of(template_co_use(own, among(own))) for own in (group(range(n), exchanges=10) for n in (20, 200, 900))
    ]
    assert said == sorted(said, reverse=True)


def test_stays_silent_on_a_single_account():
    alone = group([5])
    assert is_silent(template_co_use(alone, among(alone)))


def test_stays_silent_when_each_member_fills_a_frame_of_its_own():
    """A pool's leftovers: its accounts share an operator, not a template."""
    pool = group(range(6), frames=range(100, 106), common=0)
    assert is_silent(template_co_use(pool, among(pool)))
