"""Speaks for innocence: a licence covers this traffic.

Distillation by agreement is a product.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

COVERED = -20.0


@signal(
    "licence",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    runbook="Check the licence's volume and dates.",
)
def licence(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits in proportion to the members that act within a licence."""
    share = float(population.licensed[group.accounts].mean())
    return Finding(COVERED * share, f"{share:.0%} of members act within a licence") if share > 0 else None
