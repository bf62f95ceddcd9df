"""What other signals ask of the ties between members: how strong, whether declared, and whether they hold a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.signals.artefact_replay import artefact_replay
from stillwatch.signals.base import Bits, Signal
from stillwatch.signals.failover_handoff import failover_handoff
from stillwatch.signals.loose_synchrony import loose_synchrony
from stillwatch.signals.scheduler_evenness import scheduler_evenness
from stillwatch.signals.shared_payment import shared_payment
from stillwatch.signals.shared_phone import shared_phone
from stillwatch.signals.statistics import clip, devotion
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

UNCHECKED = 0.5
OPERATED = (  # what an operator leaves and no event explains
    shared_payment,
    shared_phone,
    scheduler_evenness,
    loose_synchrony,
    failover_handoff,
    artefact_replay,
)
HIDDEN = (shared_payment, shared_phone, failover_handoff, artefact_replay)  # what strangers never have in common
HIDDEN_BITS = 2.0  # of such ties that mark a member
HIDDEN_SHARE = 1 / 3  # of members so marked, at which the group is nobody's crowd
TIED = (1.0, 4.0)  # mean bits of such ties a member: from which, and at which, the frame is the group's own work


def member_ties(ties: Sequence[Signal], group: GroupSketch, population: Population) -> Bits:
    """Sum the positive bits by which each member is tied, over the signals whose columns are there; (members,)."""
    total = np.zeros(group.size)
    for tie in ties:
        found = None if tie.missing(population.present) else tie(group, population)
        if found is not None and found.members is not None:
            total += np.maximum(found.members, 0.0)
    return total


def hold(group: GroupSketch, population: Population) -> float:
    """Return how far the frame is the members' work, 0 to 1: they are devoted to it, or one operator ties nearly all.

    Operators dilute a harvest with resold traffic, which lowers devotion; it does not loosen what ties the accounts
    that fill the frame. A phrase that people use now and then never ties its users.
    """
    devoted = float(np.median(devotion(group, population)))
    ties = member_ties(OPERATED, group, population)
    tied = clip((float(ties.mean()) - TIED[0]) / (TIED[1] - TIED[0]), 0.0, 1.0) * float((ties > TIED[0]).mean())
    return max(devoted, tied * (1.0 - declared_share(group, population)[0]))


def hidden(group: GroupSketch, population: Population) -> float:
    """Return how far ties that strangers never have reach, 0 to 1: fully where a third of the members have them."""
    ties = np.zeros(group.size)
    for tie in HIDDEN:
        ties += np.minimum(member_ties((tie,), group, population), HIDDEN_BITS)
    return clip(float(ties.mean()) / HIDDEN_BITS / HIDDEN_SHARE, 0.0, 1.0)


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
