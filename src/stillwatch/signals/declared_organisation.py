"""Speaks for innocence: the members say openly that they belong together.

A company with forty accounts is one customer.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.ties import declared_share
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MOSTLY = 0.4  # four of five members, by name alone
NAMED, VERIFIED = -3.0, -8.0


@signal(
    "declared-organisation",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    needs=("org_id",),
    runbook="Confirm the organisation's contract; treat the accounts as one customer.",
)
def declared_organisation(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits when four of five members share declared organisations; more with a business check behind one."""
    share, organisations = declared_share(group, population)
    if share < MOSTLY:
        return None
    bits = NAMED + (VERIFIED - NAMED) * (share - MOSTLY) / (1.0 - MOSTLY)
    because = f"members declare {organisations} organisation(s) together, worth {share:.0%} after business checks"
    return Finding(bits, because)
