"""Speaks for innocence: the members share an office or an address, and each does work of its own.

One workload over many accounts has frames in common; neighbours have nothing in common but the network.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

ALONE = -2.5


@signal(
    "separate-work",
    axis=Axis.EXTRACTION,
    family=Family.CONTENT,
    needs=("prompt|template_key",),
    runbook="Compare what two members ask; paraphrases of one script are the exception to look for.",
)
def separate_work(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits for the share of exchanges in frames that fewer than three members fill."""
    del population
    common = float(group.common.sum()) / max(group.exchanges, 1)
    bits = ALONE * (1.0 - min(common / 0.5, 1.0))
    return (
        Finding(bits, f"only {common:.0%} of exchanges fill frames that members have in common")
        if bits < -0.1
        else None
    )
