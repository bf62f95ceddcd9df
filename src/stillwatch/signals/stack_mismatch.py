"""Accounts that appear from many networks with one and the same client.

Rotating proxies change the address of the same machine; travellers change both.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import Rest, clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

CAP = 3.0


@signal(
    "stack-mismatch",
    axis=Axis.DECEPTION,
    family=Family.INFRASTRUCTURE,
    needs=("asn", "tls_fingerprint|user_agent"),
    runbook="Compare with mobile users, whose networks change too, and with build runners.",
)
def stack_mismatch(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of members with three or more networks and one client, against all other accounts."""
    odd = (population.usage["asns"] >= 3) & (population.usage["stacks"] <= 1)
    others = Rest(group, population)
    if not others.size:
        return None
    inside = float(odd[group.accounts].mean())
    outside = others.share(odd)
    bits = clip(float(np.log2((inside + 0.02) / (outside + 0.02))), 0.0, CAP)
    because = f"{inside:.0%} of members use one client from 3 or more networks ({outside:.0%} elsewhere)"
    return Finding(bits, because, group.cites) if bits > 0.1 and inside >= 0.1 else None
