"""Many networks are context, never evidence."""

from __future__ import annotations

from stillwatch.signals.hosting_egress import hosting_egress
from tests.signals.build import among, group, same

RING = range(0, 600, 20)


def test_tells_of_many_networks_and_weighs_nothing():
    ring = group(RING)
    found = hosting_egress(ring, among(ring, asns=same(RING, 7)))
    assert found.bits == 0.0
    assert "7 networks" in found.because


def test_stays_silent_on_members_of_one_network():
    ring = group(RING)
    assert hosting_egress(ring, among(ring, asns=same(RING, 1))) is None
