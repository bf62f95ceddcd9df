"""Accounts that use the model as a grader.

A reward model is bought one grade at a time.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import Rest, clip, over
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXCHANGES = 20
CAP = 3.0


@signal(
    "rubric-elicitation",
    axis=Axis.EXTRACTION,
    family=Family.CONTENT,
    needs=("prompt",),
    runbook="Ask whether the graded answers come from a model under training.",
)
def rubric_elicitation(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of the share of exchanges that ask for numeric grades against a rubric, against all other accounts."""
    if group.exchanges < MIN_EXCHANGES:
        return None
    share = float(group.sums["rubric"].sum()) / group.exchanges
    others = Rest(group, population)
    if not others.size:
        return None
    base = others.a_exchange("rubric")
    bits = clip(over(share, base, 0.02), 0.0, CAP) if share >= 0.1 else 0.0
    because = f"{share:.0%} of exchanges ask for numeric grades against a rubric; {base:.1%} elsewhere"
    return Finding(bits, because, group.cites) if bits > 0.1 else None
