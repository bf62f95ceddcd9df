"""Accounts paid for with the same instrument.

Identities are cheap and funding is not; an agency with one invoice shares an instrument too, so this alone convicts
nobody.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import tied_by_values
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population


@signal(
    "shared-payment",
    axis=Axis.COORDINATION,
    family=Family.IDENTITY,
    needs=("payment_fingerprint",),
    runbook="Ask billing for the holder of the instrument and whether it is a declared reseller.",
)
def shared_payment(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members share payment instruments that few others use (Fellegi and Sunter 1969)."""
    return tied_by_values(group, population, "payment_fingerprint", "payment instruments that few others use", cap=6.0)
