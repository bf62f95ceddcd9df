"""Accounts verified by the same telephone number.

Numbers for verification are rented and reused.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import tied_by_values
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population


@signal(
    "shared-phone",
    axis=Axis.COORDINATION,
    family=Family.IDENTITY,
    needs=("phone_hash",),
    runbook="Check whether the number belongs to a rental range.",
)
def shared_phone(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members share telephone numbers that few others use (Fellegi and Sunter 1969)."""
    return tied_by_values(group, population, "phone_hash", "telephone numbers that few others use", cap=5.0)
