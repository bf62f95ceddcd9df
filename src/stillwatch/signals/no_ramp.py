"""Accounts at full load from their first day.

A customer tries, builds and grows; a pool is switched on.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import Rest, clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import DAY_US, NEVER, Population

MIN_EXCHANGES = 20
CAP = 1.0


@signal(
    "no-ramp",
    axis=Axis.EXTRACTION,
    family=Family.USAGE,
    needs=("created_at",),
    runbook="Ask sales whether the account is a migration or a contracted backfill.",
)
def no_ramp(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of members that are busy within two days of signup, against all other accounts."""
    busy = population.usage["first_day"] >= np.maximum(MIN_EXCHANGES, population.usage["exchanges"] // 14)
    known = population.created_at != NEVER
    fresh = known & (population.usage["first_ts"] - population.created_at < 2 * DAY_US)
    others = Rest(group, population)
    if not others.size:
        return None
    inside = float((busy & fresh)[group.accounts].mean())
    outside = others.share(busy & fresh)
    bits = clip(float(np.log2((inside + 0.05) / (outside + 0.05))), 0.0, CAP)
    because = f"{inside:.0%} of members were at full load within 2 days of signup ({outside:.0%} elsewhere)"
    return Finding(bits, because) if bits > 0.1 else None
