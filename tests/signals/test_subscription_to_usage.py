"""Far more output than the plan's other accounts take."""

from __future__ import annotations

from stillwatch.signals.subscription_to_usage import subscription_to_usage
from tests.signals.build import among, fires, group, is_silent, same

RING = range(0, 600, 20)


def test_fires_on_enterprise_throughput_on_a_free_plan():
    ring = group(RING, exchanges=300, output_tokens=2_000_000)
    population = among(ring, plan=same(RING, "free"))
    assert fires(subscription_to_usage(ring, population), ring, population)


def test_stays_silent_on_usual_use_of_the_plan():
    crowd = group(RING)
    assert is_silent(subscription_to_usage(crowd, among(crowd)))


def test_a_single_heavy_account_does_not_speak_for_the_group():
    crowd = group(RING, exchanges=[5_000] + [15] * 29)
    assert is_silent(subscription_to_usage(crowd, among(crowd)))


def test_stays_silent_on_a_plan_with_too_few_others_to_compare():
    ring = group(RING, exchanges=300, output_tokens=2_000_000)
    assert is_silent(subscription_to_usage(ring, among(ring, plan=same(RING, "contract"))))


def test_stays_silent_where_the_plan_is_not_known():
    ring = group(RING, exchanges=300, output_tokens=2_000_000)
    assert is_silent(subscription_to_usage(ring, among(ring, plan=same(RING, None))))
