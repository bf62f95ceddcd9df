"""Accounts that use far more than others on their plan.

Enterprise throughput on a cheap plan is how a harvest is paid for.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.counting import spread_of_rest
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_PEERS = 20
CAP = 2.0


@signal(
    "subscription-to-usage",
    axis=Axis.EXTRACTION,
    family=Family.USAGE,
    needs=("plan",),
    runbook="Compare with contracted volumes before acting; a backfill is a one-off.",
)
def subscription_to_usage(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of the median member's output over its plan's median, robust z of logarithms."""
    scores: list[float] = []
    for plan in np.unique(population.plan[group.accounts]):
        mine = group.accounts[population.plan[group.accounts] == plan]
        usual = population.volume_on_plan.get(int(plan))
        if usual is None or len(usual.values) - len(mine) < MIN_PEERS:
            continue
        middle, deviation = spread_of_rest(usual.values, usual.places(mine))
        spread = 1.4826 * deviation + 0.25
        scores.extend(((population.volume[mine] - middle) / spread).tolist())
    if not scores:
        return None
    z = float(np.median(scores))
    bits = clip(0.7 * (z - 1.0), 0.0, CAP)
    return Finding(bits, f"the median member is {z:.1f} robust deviations above its plan") if bits > 0.1 else None
