"""Accounts whose traffic breaks the licence that they hold.

A licence names models, volumes and dates; what exceeds them was not agreed.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

BROKEN = 4.0


@signal(
    "outside-licence",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    runbook="Call the licensee before anything else.",
)
def outside_licence(group: GroupSketch, population: Population) -> Finding | None:
    """Bits in proportion to the members that exceed a licence's models, capabilities, volume or dates."""
    share = float(population.breaks_licence[group.accounts].mean())
    return Finding(BROKEN * share, f"{share:.0%} of members exceed their licence") if share > 0 else None
