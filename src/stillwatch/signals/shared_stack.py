"""Accounts with one uncommon combination of TLS fingerprint, user agent and network.

One operator runs one client; a popular SDK is everyone's and weighs nothing.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import tied_by_values
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population


@signal(
    "shared-stack",
    axis=Axis.COORDINATION,
    family=Family.INFRASTRUCTURE,
    needs=("tls_fingerprint|user_agent",),
    runbook="Look up the client behind the fingerprint; a release of a popular SDK explains a sudden share.",
)
def shared_stack(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members share a client and network combination that few others show (Fellegi and Sunter 1969)."""
    return tied_by_values(group, population, "stack_asn", "an uncommon client on one network", cap=3.0)
