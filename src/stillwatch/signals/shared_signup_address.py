"""Accounts created from addresses that created few others.

Traffic may be spread over proxies while accounts are still made from one place.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import CROWD, tied_by_values
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population


@signal(
    "shared-signup-address",
    axis=Axis.COORDINATION,
    family=Family.IDENTITY,
    needs=("signup_ip",),
    runbook="List signups from the address around the same days.",
)
def shared_signup_address(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members share signup addresses that few others used (Fellegi and Sunter 1969)."""
    return tied_by_values(group, population, "signup_ip", "signup addresses that few others used", cap=4.0, crowd=CROWD)
