"""Speaks for innocence: the members belong to many declared organisations, as strangers do.

A popular tool is found by companies that have nothing to do with each other; a pool's accounts name none, or one.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Ints, Population

STRANGERS = -4.0
MIN_ORGANISATIONS = 3
UNCHECKED = 0.5  # a name costs nothing; a check of the business does


@signal(
    "separate-organisations",
    axis=Axis.COORDINATION,
    family=Family.IDENTITY,
    needs=("org_id",),
    runbook="Ask two of the organisations whether they know each other before treating them as one.",
)
def separate_organisations(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits in proportion to how many organisations the members declare, against all other accounts."""
    orgs = population.organisation[group.accounts]
    named = orgs[orgs >= 0]
    names = len(np.unique(named))
    others = population.size - group.size
    if names < MIN_ORGANISATIONS or not others:
        return None
    inside = _organisations(group.accounts, population)
    usual = (population.named_checked + UNCHECKED * population.named_unchecked - inside) / others
    share = inside / group.size
    spread = names / len(named)
    bits = STRANGERS * min(share / max(usual, 0.01), 1.0) * min(2.0 * spread, 1.0)
    return Finding(bits, f"members declare {names} different organisations") if bits < -0.1 else None


def _organisations(accounts: Ints, population: Population) -> float:
    """Count the accounts that declare an organisation, those without a business check at half."""
    named = population.organisation[accounts] >= 0
    return float((named * np.where(population.checked[accounts], 1.0, UNCHECKED)).sum())
