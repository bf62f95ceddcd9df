"""Traffic that never sleeps.

A machine asks at every hour; so do nightly jobs and global products, so this says little.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXCHANGES = 200
CAP = 1.0


@signal(
    "circadian-flatness",
    axis=Axis.EXTRACTION,
    family=Family.TIMING,
    runbook="Check for a global product behind the account before calling it a machine.",
)
def circadian_flatness(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which the median member's own hours are flat: entropy over log 24, corrected for few exchanges."""
    clock = population.clock[group.accounts]
    total = clock.sum(axis=1)
    enough = total >= 48
    if group.exchanges < MIN_EXCHANGES or enough.sum() < 3:
        return None
    share = clock[enough] / total[enough, None]
    entropy = -(share * np.log2(np.maximum(share, 1e-12))).sum(axis=1) + 23 / (2 * np.log(2) * total[enough])
    flat = float(np.median(entropy / np.log2(24)))
    bits = clip(10.0 * (flat - 0.9), 0.0, CAP)
    return Finding(bits, f"the median member's hours are {flat:.0%} as flat as a machine's") if bits > 0.1 else None
