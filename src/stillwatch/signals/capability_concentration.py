"""Traffic that targets one narrow capability.

Training data is collected skill by skill; a person's week is not.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.signals.ties import hold
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXCHANGES = 50
CAP = 1.5


@signal(
    "capability-concentration",
    axis=Axis.EXTRACTION,
    family=Family.CONTENT,
    needs=("prompt",),
    runbook="Compare the capability with what a student model would lack.",
)
def capability_concentration(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which the entropy of capabilities falls short of two bits, a usual person's week."""
    share = group.capability / max(group.capability.sum(), 1)
    if group.exchanges < MIN_EXCHANGES:
        return None
    entropy = float(-(share[share > 0] * np.log2(share[share > 0])).sum())
    held = hold(group, population)
    bits = clip(0.75 * (2.0 - entropy) * held, 0.0, CAP)
    because = f"{share.max():.0%} of exchanges seek one capability (entropy {abs(entropy):.1f} bits)"
    return Finding(bits, because) if bits > 0.1 else None
