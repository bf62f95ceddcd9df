"""Accounts that ask for reasoning to be written out.

The steps that lead to an answer teach a student more than the answer.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import Rest, clip, over
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXCHANGES = 20
CAP = 3.5


@signal(
    "trace-elicitation",
    axis=Axis.EXTRACTION,
    family=Family.CONTENT,
    needs=("prompt",),
    runbook="Read the reference on intent for its precision; auditors capture reasoning too, each alone.",
)
def trace_elicitation(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of the share of exchanges that ask for reasoning traces, against all other accounts."""
    if group.exchanges < MIN_EXCHANGES:
        return None
    share = float(group.sums["trace"].sum()) / group.exchanges
    others = Rest(group, population)
    if not others.size:
        return None
    base = others.a_exchange("trace")
    bits = clip(over(share, base, 0.02), 0.0, CAP) if share >= 0.1 else 0.0
    because = f"{share:.0%} of exchanges ask for reasoning traces; {base:.1%} elsewhere"
    return Finding(bits, because, group.cites) if bits > 0.1 else None
