"""Names for campaigns that stay the same from run to run, and what became of them since the last one.

Accounts tie a campaign to an earlier one; where all accounts are new, a template of its own does, together with
settings, infrastructure or identity. One soft edge never does: a pool serves several owners, and templates are copied.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

SAME = 0.3  # share of the smaller of two sets in common, for them to be one campaign's
GROWTH = 1.1
FEW = 2  # values in common that are more than one coincidence
RIVAL = 0.5  # of its best tie: what an earlier campaign may still give its name to when the best heir is taken
BEFORE, AFTER = dt.timedelta(days=2), dt.timedelta(days=14)  # around a ban: when its replacement begins
FRAMES = "templates"  # the family of marks without which no campaign returns under new accounts

Members = frozenset[str]


class Status(StrEnum):
    """What became of a campaign since the run before."""

    BORN = "born"
    STEADY = "steady"
    GREW = "grew"
    SPLIT = "split"  # a part of an earlier campaign that goes on beside it, under a name of its own
    MERGED = "merged"  # several earlier ones turned out to be one
    RETURNED = "returned"  # under new accounts, or after a silence
    QUIET = "went quiet"
    ABSORBED = "absorbed"  # its accounts are another campaign's now


@dataclass(frozen=True, slots=True)
class Traces:
    """What a campaign is known by: its accounts, marks (keyed hashes of rare values) by family, and two moments.

    `began`: the median of its accounts' first exchanges; `banned`: the median of their suspensions where half of them
    are suspended. None where not known.
    """

    members: Members
    marks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    began: dt.datetime | None = None
    banned: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A campaign's name, what became of it, the earlier campaigns that it comes from, and why that is said."""

    campaign_id: str
    status: Status
    parents: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True, slots=True)
class _Tie:
    earlier: str
    found: int
    common: int
    frames: float  # share of the smaller set of templates in common
    contradicts: bool  # both have templates of their own, and none in common
    by_members: bool
    because: str

    @property
    def weight(self) -> float:
        return self.common * (1 + 2 * self.frames)  # owners of one pool have the same accounts, not the same templates


def name_campaigns(
    found: Sequence[Traces], earlier: Mapping[str, Traces], quiet: Set[str] = frozenset()
) -> tuple[list[Named], tuple[str, ...]]:
    """Return a name for each campaign found, and the ids of earlier ones that are gone; `quiet` were gone before.

    An earlier id goes to the campaign that holds most of its accounts, or of its templates where accounts are shared;
    the largest earlier one names a merger, the largest heir keeps the name of a split. Order has no effect.
    """
    fresh = _fresh_names(found, earlier.keys())
    ties = [tie for name in sorted(earlier) for at in range(len(found)) if (tie := _tie(name, at, earlier, found))]
    ties.sort(key=lambda tie: (-tie.weight, -tie.frames, -len(earlier[tie.earlier].members), tie.earlier,
                               fresh[tie.found]))  # fmt: skip
    heir, owner = _inherit(ties)
    absorbed: dict[int, list[_Tie]] = {}
    for tie in ties:
        if tie.earlier not in heir and tie.by_members and not tie.contradicts and tie.earlier not in quiet:
            heir[tie.earlier] = tie.found
            if tie.found in owner:
                absorbed.setdefault(tie.found, []).append(tie)
            else:
                owner[tie.found] = tie
    names = []
    for at, traces in enumerate(found):
        own, others = owner.get(at), absorbed.get(at, [])
        if own is None:
            split = next((tie for tie in ties if tie.found == at and not tie.contradicts), None)
            names.append(_offspring(fresh[at], split))
        elif others:
            parents = tuple(sorted(tie.earlier for tie in others))
            names.append(Named(own.earlier, Status.MERGED, parents, f"it holds {' and '.join(parents)} as well"))
        else:
            names.append(_heir(own, traces, earlier[own.earlier], own.earlier in quiet))
    return names, tuple(sorted(set(earlier) - heir.keys() - quiet))


def _inherit(ties: Sequence[_Tie]) -> tuple[dict[str, int], dict[int, _Tie]]:
    """Give each earlier name to one campaign and each campaign one name, strongest ties first."""
    heir: dict[str, int] = {}
    owner: dict[int, _Tie] = {}
    best: dict[str, float] = {}
    for tie in ties:
        enough = tie.weight >= RIVAL * best.setdefault(tie.earlier, tie.weight)
        if enough and tie.earlier not in heir and tie.found not in owner:
            heir[tie.earlier], owner[tie.found] = tie.found, tie
    return heir, owner


def _tie(name: str, at: int, earlier: Mapping[str, Traces], found: Sequence[Traces]) -> _Tie | None:
    one, other = earlier[name], found[at]
    common = len(one.members & other.members)
    by_members = common > 0 and common >= SAME * min(len(one.members), len(other.members))
    mine, theirs = one.marks.get(FRAMES, frozenset()), other.marks.get(FRAMES, frozenset())
    frames = _share(mine, theirs)
    shared = {
        family: len(own & other.marks.get(family, frozenset()))
        for family, own in sorted(one.marks.items())
        if family != FRAMES and _in_common(own, other.marks.get(family, frozenset()))
    }
    handed_over = _took_over(one, other)
    if not by_members and not (frames >= SAME and (shared or handed_over)):
        return None
    told = [f"{len(mine & theirs)} of {min(len(mine), len(theirs))} templates"] if mine & theirs else []
    told += [f"{count} of {family}" for family, count in shared.items()]
    because = f"{', '.join([*told, f'{common:,} accounts'])} in common"
    if handed_over and not by_members:
        because += ", and its accounts began when the earlier ones had been suspended"
    return _Tie(name, at, common, frames, bool(mine and theirs and not mine & theirs), by_members, because)


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0


def _in_common(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sets of marks are one operator's: several in common, or a good part of a small set."""
    return len(one & other) >= FEW or _share(one, other) >= SAME


def _took_over(before: Traces, now: Traces) -> bool:
    if before.banned is None or now.began is None:
        return False
    return before.banned - BEFORE <= now.began <= before.banned + AFTER


def _heir(tie: _Tie, now: Traces, before: Traces, was_quiet: bool) -> Named:
    if was_quiet or not tie.by_members:
        return Named(tie.earlier, Status.RETURNED, (), tie.because)
    grew = len(now.members) >= GROWTH * len(before.members)
    return Named(tie.earlier, Status.GREW if grew else Status.STEADY, (), tie.because)


def _offspring(name: str, tie: _Tie | None) -> Named:
    if tie is None:
        return Named(name, Status.BORN)
    return Named(name, Status.SPLIT, (tie.earlier,), f"{tie.because} with {tie.earlier}, which goes on beside it")


def _fresh_names(found: Sequence[Traces], taken: Set[str]) -> list[str]:
    """Name campaigns after their accounts; a second workload of the same accounts gets a name of its own."""
    names: dict[int, str] = {}
    used = set(taken)
    ranked = sorted(range(len(found)), key=lambda at: (sorted(found[at].members), sorted(_marks(found[at]))))
    for at in ranked:
        text = "\x1f".join(sorted(found[at].members))
        name = ""
        while not name or name in used:
            name = f"C-{hashlib.blake2b(text.encode(), digest_size=5).hexdigest()}"
            text += "\x1e"
        used.add(name)
        names[at] = name
    return [names[at] for at in range(len(found))]


def _marks(traces: Traces) -> list[str]:
    return [f"{family} {mark}" for family, marks in traces.marks.items() for mark in marks]
