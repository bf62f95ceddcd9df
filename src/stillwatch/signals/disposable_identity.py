"""Accounts that gave the least identity they could.

Bulk identities stop at the weakest check when nothing is asked beyond it.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import Rest, beyond_luck, clip, over
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

CAP = 2.5
MIN_ALIKE = 20  # other accounts of a plan, below which everyone is compared with


@signal(
    "disposable-identity",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    needs=("verification",),
    runbook="Ask for a stronger verification; it costs an honest member minutes.",
)
def disposable_identity(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of members with weak verification, against all other accounts of the members' plans."""
    weak = population.weak
    others = Rest(group, population)
    if not others.size:
        return None
    own = weak[group.accounts]
    inside = float(own.mean())
    plans, code, counts = np.unique(population.plan[group.accounts], return_inverse=True, return_counts=True)
    ours = np.bincount(code, own)
    usual = []
    for plan, size, few in zip(plans.tolist(), counts.tolist(), ours.tolist(), strict=True):
        alike, weak_alike = population.weak_on_plan[plan]
        enough = alike - size >= MIN_ALIKE
        usual.append((weak_alike - few) / (alike - size) if enough else others.share(weak))
    outside = float(np.average(usual, weights=counts))  # who pays nothing shows little, everywhere
    sure = beyond_luck(inside, outside, group.size)
    bits = clip(2.0 * over(sure, outside, 0.1), 0.0, CAP)
    because = f"{inside:.0%} of members are weakly verified ({outside:.0%} on like plans)"
    return Finding(bits, because) if bits > 0.1 else None
