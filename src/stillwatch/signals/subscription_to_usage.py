"""Accounts that use far more than others on their plan.

Enterprise throughput on a cheap plan is how a harvest is paid for.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

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
    plans = population.words["plan"]
    volume = np.log2(population.usage["output_tokens"] + population.usage["exchanges"] + 1.0)
    scores = []
    for plan in sorted({p for p in plans[group.accounts] if p}):
        same = plans == plan
        same[group.accounts] = False
        if same.sum() < 20:
            continue
        middle = float(np.median(volume[same]))
        spread = 1.4826 * float(np.median(np.abs(volume[same] - middle))) + 0.25
        mine = volume[group.accounts][plans[group.accounts] == plan]
        scores.extend(((mine - middle) / spread).tolist())
    if not scores:
        return None
    z = float(np.median(scores))
    bits = clip(0.7 * (z - 1.0), 0.0, CAP)
    return Finding(bits, f"the median member is {z:.1f} robust deviations above its plan") if bits > 0.1 else None
