"""Speaks for innocence: the members say openly that they belong together.

A company with forty accounts is one customer.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.undeclared_relation import declared_share
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MOSTLY = 0.8
NAMED, VERIFIED = -4.0, -8.0


@signal(
    "declared-organisation",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    needs=("org_id",),
    runbook="Confirm the organisation's contract; treat the accounts as one customer.",
)
def declared_organisation(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits when four of five members share a declared organisation; more when a business check stands behind it."""
    share, organisations = declared_share(group, population)
    if share < MOSTLY:
        return None
    checked = bool(population.checked[group.accounts].any())
    because = f"{share:.0%} of members declare {organisations} organisation(s) together{', verified as a business' if checked else ''}"
    return Finding(VERIFIED if checked else NAMED, because)
