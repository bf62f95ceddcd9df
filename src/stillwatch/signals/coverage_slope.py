"""Groups whose accounts together still ask new questions at the rate of one account.

A divided pool keeps growing as accounts are added; independent people soon ask what others asked.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.signals.ties import hold
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXCHANGES = 100
CAP = 2.0


@signal(
    "coverage-slope",
    axis=Axis.EXTRACTION,
    family=Family.CONTENT,
    needs=("prompt|fill_hash",),
    runbook="Compare with one member alone: do all together still find new questions at the same rate?",
)
def coverage_slope(group: GroupSketch, population: Population) -> Finding | None:
    """Heaps' exponent of the pooled fills, from one typical member to all of them (Heaps 1978, V = K n^b)."""
    if group.exchanges < MIN_EXCHANGES or group.common.sum() < group.exchanges / 2:
        return None
    one, own = float(np.median(group.sums["exchanges"])), float(np.median(group.sums["fills"]))
    if one < 2 or group.exchanges <= one:
        return None
    slope = float(np.log(group.fill["fills"] / own) / np.log(group.exchanges / one))
    held = hold(group, population)
    bits = clip(6.0 * (slope - 0.75) * held, 0.0, CAP)
    return Finding(bits, f"pooled questions grow with exponent {slope:.2f} (1 is no repeats)") if bits > 0.1 else None
