"""How many networks a group comes from: context for the analyst, never evidence.

Clouds, VPNs and proxies serve honest people first.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population


@signal(
    "hosting-egress",
    axis=Axis.DECEPTION,
    family=Family.INFRASTRUCTURE,
    needs=("asn",),
    runbook="Context only: many honest products run in a cloud.",
)
def hosting_egress(group: GroupSketch, population: Population) -> Finding | None:
    """Zero bits, with the number of networks of a typical member."""
    networks = float(np.median(population.usage["asns"][group.accounts]))
    if networks < 2:
        return None
    return Finding(0.0, f"context: a typical member comes from {networks:.0f} networks")
