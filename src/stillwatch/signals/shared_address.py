"""Accounts that come from addresses hardly anyone else uses.

Proxies cost money, so operators reuse exits; a campus or carrier address is shared by strangers too and weighs little.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import CROWD, tied_by_values
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population


@signal(
    "shared-address",
    axis=Axis.COORDINATION,
    family=Family.INFRASTRUCTURE,
    needs=("ip",),
    runbook="List the members behind the strongest addresses; check for a campus, office or carrier gateway.",
)
def shared_address(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members share addresses that few others use (Fellegi and Sunter 1969)."""
    return tied_by_values(group, population, "ip", "addresses that few others use", cap=5.0, crowd=CROWD)
