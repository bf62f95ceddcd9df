"""Accounts that show what other providers saw in campaigns there.

A pool that one provider blocks moves to the next with its cards, exits and templates. What partners say is hearsay: it
raises a case that stands on evidence of one's own, makes none, and ties no account.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Bits, Finding, signal
from stillwatch.signals.counting import values_of
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Ints, Population, Reported

CAP = 2.0
NEIGHBOURS = 1.0  # what networks and clients say together at most: innocents share them too
FEW, SHARE = 3, 0.1  # accounts outside that may show a value, or that many for each inside; more, and it is popular
RARER = 3.0  # how many times as often members match a partner's values as others do; below it they hit anybody
MATCHED = 2  # members that match at least
NETWORK = ("address", "prefix", "client")
CLASSES = (NETWORK, ("payment", "mail-domain", "artefact"), ("template",))


@signal(
    "reported-by-partners",
    axis=Axis.COORDINATION,
    family=Family.REPORTED,
    runbook="Read who reported what and when; ask the partner what it rests on.",
)
def reported_by_partners(group: GroupSketch, population: Population) -> Finding | None:
    """Return the mean of what members show of partners' values; None without such values, and where they are common."""
    told = population.reported
    if told is None:
        return None
    member, value = values_of(group.accounts, told.edges)
    kept = _rare(value, told) & _specific(member, value, group, population)
    member, value = member[kept], value[kept]
    if len(np.unique(member)) < MATCHED:
        return None
    bits = min(float(_of_members(member, value, group.size, told).mean()), CAP)
    kinds = sorted({told.kind[at] for at in value.tolist()})
    because = (
        f"{len(np.unique(member))} of {group.size} members show {len(np.unique(value))} values ({', '.join(kinds)}) "
        f"that up to {int(told.partners[value].max())} independent partners reported"
    )
    return Finding(bits, because, group.cites) if bits > 0 else None


def _rare(value: Ints, told: Reported) -> npt.NDArray[np.bool_]:
    """Say of each edge whether hardly anybody outside the group shows its value."""
    inside = np.bincount(value, minlength=len(told.kind))
    outside = told.edges.degree - inside
    rare: npt.NDArray[np.bool_] = outside[value] <= np.maximum(FEW, SHARE * inside[value])
    return rare


def _specific(member: Ints, value: Ints, group: GroupSketch, population: Population) -> npt.NDArray[np.bool_]:
    """Say of each edge whether its partner's values hit members far more often than everybody else."""
    told, rest = population.reported, population.size - group.size
    assert told is not None
    if rest <= 0:
        return np.zeros(len(value), np.bool_)
    everyone = np.unique(np.stack([told.partner[told.edges.value], told.edges.account]), axis=1)[0]
    members = np.unique(np.stack([told.partner[value], member]), axis=1)[0]
    count = int(told.partner.max(initial=-1)) + 1
    total, own = np.bincount(everyone, minlength=count), np.bincount(members, minlength=count)
    specific: npt.NDArray[np.bool_] = own / group.size >= RARER * (total - own) / rest
    return specific[told.partner[value]]


def _of_members(member: Ints, value: Ints, size: int, told: Reported) -> Bits:
    """Return each member's bits: the strongest class in full, the others by half."""
    best = np.zeros((len(CLASSES), size))
    for at, kinds in enumerate(CLASSES):
        own = np.isin(value, [code for code, kind in enumerate(told.kind) if kind in kinds])
        np.maximum.at(best[at], member[own], told.bits[value[own]])
    best[0] = np.minimum(best[0], NEIGHBOURS)
    return np.asarray(best.max(axis=0) + (best.sum(axis=0) - best.max(axis=0)) / 2)
