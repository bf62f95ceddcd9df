"""Speaks for innocence: the members show one mail domain of their own and one payment instrument.

A small firm that never filled in its name spreads its work over accounts that all say who they are. Who hides makes his
accounts look like different people.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Ints, Population

OPEN = -4.0
MOSTLY = 0.8  # of the members, who share both
OWN = 0.5  # of a value's holders, that are members: a free mail provider's are elsewhere


@signal(
    "one-customer",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    needs=("email_domain", "payment_fingerprint"),
    runbook="Write to the domain's owner; treat the accounts as one customer, with one budget.",
)
def one_customer(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits by the share of members at the commonest pair of own mail domain and payment instrument."""
    domain, card = (_own_value(group, population, kind) for kind in ("email_domain", "payment_fingerprint"))
    both = (domain >= 0) & (card >= 0)
    _, counts = np.unique(np.stack([domain[both], card[both]]), axis=1, return_counts=True)
    share = float(counts.max(initial=0)) / group.size
    if group.size < 2 or share < MOSTLY:
        return None
    return Finding(OPEN * share, f"{share:.0%} of members show one mail domain of their own and one payment instrument")


def _own_value(group: GroupSketch, population: Population, kind: str) -> Ints:
    """Each member's value, where its holders are mostly members; -1 otherwise."""
    edges = population.edges[kind]
    value = np.full(group.size, -1, np.int64)
    shown = edges.start[group.accounts + 1] > edges.start[group.accounts]
    value[shown] = edges.value[edges.start[group.accounts[shown]]]
    distinct, code, inside = np.unique(value[shown], return_inverse=True, return_counts=True)
    foreign = inside[code] < OWN * edges.degree[distinct][code]
    value[np.flatnonzero(shown)[foreign]] = -1
    return value
