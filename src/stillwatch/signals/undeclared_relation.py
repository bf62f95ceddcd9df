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
from stillwatch.signals.ties import declared_share, member_ties
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
    ties = member_ties(BEHIND, group, population)
    declared, _ = declared_share(group, population)
    tied = np.maximum(ties - SILENT, 0.0)
    bits = clip(float(tied.mean()) * (1.0 - declared) * group.size / (group.size + FEW), 0.0, CAP)
    if bits <= 0.1:
        return None
    because = f"{int((ties > SILENT).sum())} members are tied beyond content; {1 - declared:.0%} name no common owner"
    return Finding(bits, because, group.cites)
