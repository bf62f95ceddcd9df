"""Several processes find what one finds, in the same order."""

from __future__ import annotations

import numpy as np

from stillwatch.campaigns.apart import ask_apart
from stillwatch.campaigns.weigh import findings_of
from stillwatch.signals.roster import ROSTER
from tests.signals.build import among, group


def test_several_processes_find_what_one_does_in_the_same_order():
    ring = group(range(0, 300, 10), exchanges=40)
    population = among(ring)
    groups = [ring, group(range(5), exchanges=30), group(range(40, 90), exchanges=12)]
    here = [findings_of(each, population, ROSTER, 0.0) for each in groups]
    apart = list(ask_apart(groups, lambda each: findings_of(each, population, ROSTER, 0.0), ROSTER, 2))
    assert [[signal.name for signal, _ in found] for found in apart] == [[s.name for s, _ in found] for found in here]
    for ours, theirs in zip(here, apart, strict=True):
        for (_, one), (_, other) in zip(ours, theirs, strict=True):
            assert (one.bits, one.because, one.cites) == (other.bits, other.because, other.cites)
            assert (one.members is None) == (other.members is None)
            assert one.members is None or np.array_equal(one.members, other.members)
