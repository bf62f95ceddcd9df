"""Accounts whose addresses sit in the same small networks.

Exits are bought by the block, so neighbours in a /24 (IPv6: /48) give away what single addresses hide.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import tied_by_values
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population


@signal(
    "shared-prefix",
    axis=Axis.COORDINATION,
    family=Family.INFRASTRUCTURE,
    needs=("ip",),
    runbook="Compare the blocks with the allocation records of their network.",
)
def shared_prefix(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members share network blocks that few others use (Fellegi and Sunter 1969)."""
    return tied_by_values(group, population, "prefix", "network blocks that few others use", cap=3.0)
