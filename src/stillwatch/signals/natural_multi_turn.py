"""Speaks for innocence: the exchanges belong to conversations that go on.

Harvests rarely talk back. A relay of real users does, and other axes must carry that case.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip, devotion
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXCHANGES = 30
CAP = -2.5


@signal(
    "natural-multi-turn",
    axis=Axis.EXTRACTION,
    family=Family.USAGE,
    needs=("turns",),
    runbook="Read one conversation: does it answer back?",
)
def natural_multi_turn(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits of the share of exchanges beyond the first turn; a tool loop is not a conversation."""
    if group.exchanges < MIN_EXCHANGES:
        return None
    going_on = float(group.sums["talk"].sum() / group.exchanges)
    devoted = float(np.median(devotion(group, population)))  # a common frame on every turn is injected, not said
    injected = devoted * min(float(group.common.sum()) / group.exchanges, 1.0)
    bits = -clip(3.0 * (going_on - 0.1) * (1.0 - injected), 0.0, -CAP)
    return Finding(bits, f"{going_on:.0%} of exchanges go on with a conversation") if bits < -0.1 else None
