"""Accounts that act as one and declare no relation.

A company's accounts name their organisation; a pool's each pretend to be someone else.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.joint_onset import joint_onset
from stillwatch.signals.loose_synchrony import loose_synchrony
from stillwatch.signals.scheduler_evenness import scheduler_evenness
from stillwatch.signals.shared_payment import shared_payment
from stillwatch.signals.shared_phone import shared_phone
from stillwatch.signals.shared_signup_address import shared_signup_address
from stillwatch.signals.signup_burst import signup_burst
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

CAP = 4.0
BEHIND = (  # not the network: whoever uses a service leaves by its addresses
    shared_payment,
    shared_phone,
    shared_signup_address,
    signup_burst,
    scheduler_evenness,
    loose_synchrony,
    joint_onset,
)
FEW = 4.0  # a handful is often a coincidence
UNCHECKED = 0.5
SILENT = 1.0  # bits of one member's tie that chance explains


@signal(
    "undeclared-relation",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    needs=("org_id",),
    runbook="Ask the members who they are to each other; one honest answer ends the matter.",
)
def undeclared_relation(group: GroupSketch, population: Population) -> Finding | None:
    """Bits from ties beyond content that members have and do not declare."""
    ties = np.zeros(group.size)
    for tie in BEHIND:
        if tie.missing(population.present):
            continue
        found = tie(group, population)
        if found is not None and found.members is not None:
            ties += np.maximum(found.members, 0.0)
    declared, _ = declared_share(group, population)
    tied = np.maximum(ties - SILENT, 0.0)
    bits = clip(float(tied.mean()) * (1.0 - declared) * group.size / (group.size + FEW), 0.0, CAP)
    if bits <= 0.1:
        return None
    because = f"{int((ties > SILENT).sum())} members are tied beyond content; {1 - declared:.0%} name no common owner"
    return Finding(bits, because, group.cites)


def declared_share(group: GroupSketch, population: Population) -> tuple[float, int]:
    """Return the share of members who declare an organisation together with another member, and how many there are.

    A name costs nothing: where no business check stands behind most of an organisation's members here, they count half.
    """
    orgs = population.organisation[group.accounts]
    named = orgs >= 0
    _, code, counts = np.unique(orgs[named], return_inverse=True, return_counts=True)
    checked = np.bincount(code, population.checked[group.accounts][named], len(counts)) * 2 >= counts
    worth = np.where(checked, 1.0, UNCHECKED) * counts
    return float(worth[counts >= 2].sum() / group.size), int((counts >= 2).sum())
