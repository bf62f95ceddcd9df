"""Speaks for innocence: one payment instrument for all members, and one mail domain of their own or one address.

A small firm that never filled in its name spreads its work over accounts that all say who they are. Who hides makes his
accounts look like different people.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.counting import values_of
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Ints, Population

OPEN = -4.0
MOSTLY = 0.8  # of the members, who share both
CUSTOMER = 8  # members with one instrument and one domain, from which each of several customers counts
OWN = 0.5  # of a value's holders, that are members: a free mail provider's are elsewhere


@signal(
    "one-customer",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    needs=("email_domain", "payment_fingerprint|ip"),
    runbook="Write to the domain's owner; treat the accounts as one customer, with one budget.",
)
def one_customer(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits by the share of members who use one instrument and one domain, or the commonest one at one address.

    Two firms that happen to use one template are two customers, each of which shows itself.
    """
    domain = _own_value(group, population, "email_domain")
    if "payment_fingerprint" in population.present:
        open_members, shown = _by_payment(group, population, domain), "payment, and by mail domain or address"
    else:
        open_members, shown = _by_address(group, population, domain), "mail domain and address"
    share = open_members / max(group.size, 1)
    if group.size < 2 or share < MOSTLY:
        return None
    return Finding(OPEN * share, f"{share:.0%} of members belong to customers who show themselves by {shown}")


def _by_payment(group: GroupSketch, population: Population, domain: Ints) -> int:
    """Count members of customers with one instrument and one domain, or of the largest at one address."""
    card = _own_value(group, population, "payment_fingerprint")
    if not (card >= 0).any():
        return 0
    both = (card >= 0) & (domain >= 0)
    _, customers = np.unique(np.stack([card[both], domain[both]]), axis=1, return_counts=True)
    named = customers[(customers >= CUSTOMER) | (customers >= MOSTLY * group.size)]
    paying = np.bincount(card[card >= 0])
    return max(int(named.sum()), _most_at_one_address(group, population, card == paying.argmax()))


def _by_address(group: GroupSketch, population: Population, domain: Ints) -> int:
    """Count members of customers with one domain at one address: where nobody knows who pays, both must agree."""
    names, sizes = np.unique(domain[domain >= 0], return_counts=True)
    large = names[(sizes >= CUSTOMER) | (sizes >= MOSTLY * group.size)]
    return sum(_most_at_one_address(group, population, domain == name) for name in large)


def _most_at_one_address(group: GroupSketch, population: Population, pays: npt.NDArray[np.bool_]) -> int:
    """Count those of the members given that meet at the address where most of them do."""
    if "ip" not in population.edges:
        return 0
    _, address = values_of(group.accounts[pays], population.edges["ip"])
    _, counts = np.unique(address, return_counts=True)
    return int(counts.max(initial=0))


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
