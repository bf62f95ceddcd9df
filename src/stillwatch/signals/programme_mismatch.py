"""Accounts in a discounted programme (education, research, start-up) that run a harvest together.

Those pathways verify least and are used most.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import Rest, beyond_luck, clip, devotion, over
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

CAP = 2.0


@signal(
    "programme-mismatch",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    needs=("program",),
    runbook="Ask the programme's owner whether the work was declared.",
)
def programme_mismatch(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of members in a programme, against all others, where nearly every exchange is new and single-turn."""
    enrolled = population.enrolled
    others = Rest(group, population)
    if not others.size:
        return None
    inside = float(enrolled[group.accounts].mean())
    outside = others.share(enrolled)
    devoted = float(np.median(devotion(group, population)))
    harvest = (
        devoted
        * group.fill["fills"]
        / max(group.exchanges, 1)
        * float(group.sums["single"].sum() / max(group.exchanges, 1))
    )
    sure = beyond_luck(inside, outside, group.size)
    bits = clip(over(sure, outside, 0.02) * (5.0 * harvest - 4.0), 0.0, CAP)
    if bits <= 0.1 or inside < 0.2:
        return None
    return Finding(bits, f"{inside:.0%} of members are in a discounted programme ({outside:.0%} elsewhere)")
