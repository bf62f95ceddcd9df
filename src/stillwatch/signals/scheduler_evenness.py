"""Accounts that carry equal loads.

Independent customers are heavy-tailed; a scheduler deals work out evenly.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import near
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Ints, Population

OCTAVE = 1_000  # volumes are compared as 1000 x log2
WIDTH = OCTAVE // 3
CAP = 3.0
MIN_VOLUME = 3


@signal(
    "scheduler-evenness",
    axis=Axis.COORDINATION,
    family=Family.TIMING,
    needs=("prompt|template_key",),
    runbook="Compare volumes per account: a quota that all customers hit looks even too.",
)
def scheduler_evenness(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members' volumes lie near each other's, against other templates' accounts."""
    own = group.sums["exchanges"]
    if np.median(own) < MIN_VOLUME:
        return None
    foreign = population.atoms.sums["exchanges"][~np.isin(population.atoms.frame, group.frames)]
    volumes = np.concatenate([_log(own), _log(foreign)])
    bits = np.clip(near(np.arange(group.size), volumes, WIDTH), -1.0, CAP)
    mean = float(bits.mean())
    if mean <= 0.05:
        return None
    low, high = np.percentile(own, [10, 90])
    return Finding(mean, f"most members sent between {low:.0f} and {high:.0f} exchanges each", group.cites, bits)


def _log(volumes: Ints) -> Ints:
    return np.round(OCTAVE * np.log2(np.maximum(volumes, 1))).astype(np.int64)
