"""Accounts that carry equal loads.

Independent customers are heavy-tailed; a scheduler deals work out evenly.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.counting import spread_of_rest
from stillwatch.signals.statistics import share_near
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Ints, Population

OCTAVE = 1_000  # volumes are compared as 1000 x log2
WIDTH = OCTAVE // 3
MIN_SPREAD = 0.3  # octaves; where everyone is this even, evenness says nothing
CAP = 3.0
MIN_VOLUME = 3
MIN_MEMBERS = 4


@signal(
    "scheduler-evenness",
    axis=Axis.COORDINATION,
    family=Family.TIMING,
    needs=("prompt|template_key",),
    runbook="Compare volumes per account: a quota that all customers hit looks even too.",
)
def scheduler_evenness(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members' volumes lie near each other's, against a tail as heavy as everyone else's.

    The comparison is a log-normal of the population's own spread (median absolute deviation) around the group's volume:
    what counts is how even the loads are, not how large.
    """
    own = group.sums["exchanges"]
    if group.size < MIN_MEMBERS or np.median(own) < MIN_VOLUME or group.size == population.size:
        return None
    usual = population.activity
    spread = max(1.4826 * spread_of_rest(usual.values, usual.places(group.accounts))[1], MIN_SPREAD)
    chance = 2 * WIDTH / OCTAVE / (spread * np.sqrt(2 * np.pi))
    bits = np.clip(share_near(_log(own), WIDTH, min(chance, 0.95)), -1.0, CAP)
    mean = float(bits.mean())
    if mean <= 0.05:
        return None
    low, high = np.percentile(own, [10, 90])
    return Finding(mean, f"most members sent between {low:.0f} and {high:.0f} exchanges each", group.cites, bits)


def _log(volumes: Ints) -> Ints:
    return np.round(OCTAVE * np.log2(np.maximum(volumes, 1))).astype(np.int64)
