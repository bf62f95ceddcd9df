"""How much a reported value says: who says so, how sure they are, how long ago, and how many saw it themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stillwatch.sharing.admiralty import CREDIBILITY, RELIABILITY
from stillwatch.sharing.feeds.store import Told

AT_LEAST = ((80, 1), (60, 2), (40, 3), (20, 4), (0, 5))  # STIX confidence → credibility; none: 6, cannot be judged
SAYS: Mapping[str, float] = {
    "address": 1.0, "prefix": 0.5, "asn": 0.25, "client": 0.25, "mail-domain": 1.0, "payment": 3.0, "artefact": 3.0,
    "template": 3.0,
}  # bits, before grading  # fmt: skip
ANOTHER = 0.5  # what each further independent partner adds of its own grade
DEEPEST = 16  # steps of derived-from that are followed


@dataclass(frozen=True, slots=True)
class Partner:
    """How a partner is trusted. `identity` is the STIX id under which it says what it saw itself."""

    name: str
    reliability: str
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """What one value says: bits, the partner who says most, how many say so independently."""

    bits: float
    partner: str
    partners: int


def credibility_of(confidence: int | None) -> int:
    """Return the Admiralty credibility of a STIX confidence."""
    if confidence is None:
        return 6
    return next(grade for least, grade in AT_LEAST if confidence >= least)


def decay(one: Told, at: int) -> float:
    """Return what is left of a claim at a moment: all when it was last told, nothing at its end."""
    claim = one.claim
    if claim.revoked or not claim.valid_from <= at < claim.valid_until:
        return 0.0
    begun = max(claim.told, claim.valid_from)
    return 1.0 if at <= begun else (claim.valid_until - at) / max(claim.valid_until - begun, 1)


def grade(kind: str, told: Sequence[Told], partners: Mapping[str, Partner], at: int) -> Graded | None:
    """Return what claims of one value say together; None where none holds.

    Claims that share a partner or an origin are one. A claim without an origin is a copy of any that has one.
    """
    live = [one for one in told if decay(one, at) > 0]
    if not live:
        return None
    groups = independent(live, partners)
    weights = []
    for group in groups:
        best = max(group, key=lambda one: (_weight(one, partners, at, len(groups)), one.partner))
        weights.append((_weight(best, partners, at, len(groups)), best.partner))
    weights.sort(key=lambda pair: (-pair[0], pair[1]))
    together = min(1.0, sum(weight * ANOTHER**place for place, (weight, _) in enumerate(weights)))
    return Graded(SAYS[kind] * together, weights[0][1], len(groups))


def _weight(one: Told, partners: Mapping[str, Partner], at: int, groups: int) -> float:
    credibility = credibility_of(one.claim.confidence)
    if credibility == 1 and groups < 2:
        credibility = 2  # confirmed means that somebody else saw it too
    return RELIABILITY[partners[one.partner].reliability] * CREDIBILITY[credibility] * decay(one, at)


def independent(told: Iterable[Told], partners: Mapping[str, Partner]) -> list[list[Told]]:
    """Return claims of one value in groups: whoever shares a partner or an origin is in one group."""
    groups: list[tuple[set[str], list[Told]]] = []
    copies = []
    for one in told:
        origin = origin_of(one, partners)
        if not origin:
            copies.append(one)
            continue
        marks, members = {f"partner {one.partner}", f"origin {origin}"}, [one]
        for met in [group for group in groups if group[0] & marks]:
            marks |= met[0]
            members = met[1] + members
            groups.remove(met)
        groups.append((marks, members))
    found = [members for _, members in groups]
    if copies and not found:
        return [copies]
    return found  # who copied adds nothing to what is known first-hand


def origin_of(one: Told, partners: Mapping[str, Partner]) -> str:
    """Return who saw a value first, as far as is known; a partner who is said to list only its own is its origin."""
    identity = partners[one.partner].identity
    return one.claim.origin or (f"partner {one.partner}" if identity == "own" else "")


def root(name: str, made_from: Mapping[str, str]) -> str:
    """Follow derived-from to where it began; a ring ends at its smallest member, whoever asks."""
    seen = [name]
    while (further := made_from.get(seen[-1])) is not None and len(seen) <= DEEPEST:
        if further in seen:
            return min(seen[seen.index(further) :])
        seen.append(further)
    return seen[-1]
