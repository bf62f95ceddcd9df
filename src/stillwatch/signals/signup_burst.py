"""Accounts created together.

Pools are stocked in batches; the rest of the world signs up when it likes.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import near
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import DAY_US, Population

WIDTHS = (DAY_US // 24, DAY_US // 2, 3 * DAY_US)
CAP = 4.0


@signal(
    "signup-burst",
    axis=Axis.COORDINATION,
    family=Family.IDENTITY,
    needs=("created_at",),
    runbook="Compare with product news on those days; a hackathon or a course explains a burst of verified people.",
)
def signup_burst(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members were created near other members, at the best of three time scales."""
    scales = [near(population.created_at[group.accounts], population.creations, width) for width in WIDTHS]
    best = max(scales, key=lambda bits: float(bits.mean()))
    bits = np.clip(best - np.log2(len(WIDTHS)) / 4, -1.0, CAP)  # three tries, strongly dependent
    mean = float(bits.mean())
    if mean <= 0.05:
        return None
    return Finding(mean, f"{int((bits > 1).sum())} of {group.size} members signed up close to other members", (), bits)
