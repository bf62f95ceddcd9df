"""Who runs the pool and who ordered the work: ranked hypotheses about each, with "unknown" among them.

The world is open: most likely the actor is none of those that anybody listed. So unknown has most of the prior, one
family of traits alone names nobody, and where two actors fit alike neither is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor

import numpy as np

from stillwatch.attribution.actors import OWNER, POOL, UNKNOWN, Actor
from stillwatch.attribution.keyed import Keyed
from stillwatch.attribution.matches import Match, match
from stillwatch.attribution.scene import Scene, Setting
from stillwatch.campaigns.describe import Facts
from stillwatch.campaigns.weigh import Assessment
from stillwatch.model import Claim, Grade, Hypothesis
from stillwatch.sketch.population import Ints, Population

PRIOR_UNKNOWN = 0.9  # before any evidence; the rest is spread evenly over the actors of the role
CEILING: Mapping[str, float] = {"infrastructure": 6.0, "funding": 6.0, "harness": 6.0, "suites": 5.0, "calendar": 4.0,
                                "launches": 3.0, "client": 3.0}  # fmt: skip
OTHERS = 0.5  # of a family's weaker matches: they depend on the strongest one
CORROBORATED = 1.0  # times what all other families say: more the strongest one may not; alone it says nothing
SPEAKS = 2.0  # bits below which a family is not heard: coincidences of calendars and networks come to this
SUPPORTING = frozenset(["calendar"])  # adds to what two others say, never the second: holidays are a country's
ABSENT = -1.0  # bits of a family that could be seen and shows nothing of the actor
MOST_ABSENT = -2.0
REPORTED_CAP = 0.5  # of an actor for whom only hearsay speaks
TIE = 1.0  # bits within which two actors fit alike
NAMED = 0.5  # probability from which the leader is more likely than all else together
LISTED = 0.005  # actors below it are not listed, nor are those who show nothing: their part is unknown's


def attribute(
    population: Population,
    keyed: Keyed,
    campaigns: Sequence[Assessment],
    facts: Mapping[int, Facts],
    pools: Ints,
) -> list[tuple[Hypothesis, ...]]:
    """Return both layers of hypotheses for each campaign; `facts` by position, `pools` by account (-1: none)."""
    setting = Setting(population, keyed)
    members = [one.group.accounts[one.tied] for one in campaigns]
    served = np.bincount(np.concatenate([*members, np.zeros(0, np.int64)]), minlength=population.size)
    told = []
    for at, own in enumerate(members):
        campaign = Scene(
            own, own[served[own] == 1], campaigns[at].group.clock, facts[at].closer, campaigns[at].group.days
        )
        told.append(hypotheses(Scene(pool_accounts(own, pools), own[:0], own[:0]), campaign, setting))
    return told


def pool_accounts(members: Ints, pools: Ints) -> Ints:
    """Return all accounts of the pool that most members belong to, or the members where there is none."""
    own = pools[members]
    names, counts = np.unique(own[own >= 0], return_counts=True)
    if not len(names) or counts.max() < len(members) / 2:
        return members
    found: Ints = np.flatnonzero(pools == names[counts.argmax()])
    return found


def hypotheses(pool: Scene, campaign: Scene, setting: Setting) -> tuple[Hypothesis, ...]:
    """Return both layers, each ranked and adding up to 1: the pool's operator first, then the owner of the work."""
    return tuple(one for role, scene in ((POOL, pool), (OWNER, campaign)) for one in _layer(role, scene, setting))


def _layer(role: str, scene: Scene, setting: Setting) -> list[Hypothesis]:
    actors = [actor for actor in setting.keyed.actors if actor.role == role]
    matched = {actor.actor_id: _look(actor, scene, setting) for actor in actors}
    return rank(role, actors, matched)


def _look(actor: Actor, scene: Scene, setting: Setting) -> list[Match]:
    looked = (match(trait, scene, setting) for trait in actor.traits)
    return [found for found in looked if found is not None]


def rank(role: str, actors: Sequence[Actor], matched: Mapping[str, Sequence[Match]]) -> list[Hypothesis]:
    """Weigh actors of one role by what was looked for and found; unknown is always among the answers."""
    if not actors:
        because = (Claim(f"no {role} is in the file of known actors", Grade.OBSERVED),)
        return [Hypothesis(role, UNKNOWN, UNKNOWN, 1.0, Grade.INFERRED, because)]
    bits = {actor.actor_id: weigh(matched[actor.actor_id]) for actor in actors}
    prior = (1.0 - PRIOR_UNKNOWN) / len(actors)
    odds = {name: prior * 2.0**own for name, own in bits.items()}
    total = PRIOR_UNKNOWN + sum(odds.values())
    p = {name: own / total for name, own in odds.items()}
    tied = _tied(bits)
    for name in tied:
        p[name] *= 0.5  # nobody is named: what they have in common speaks for neither
    for actor in actors:
        if _hearsay(matched[actor.actor_id]):
            p[actor.actor_id] = min(p[actor.actor_id], REPORTED_CAP)
    p = {name: floor(own * 10_000) / 10_000 for name, own in p.items()}  # what rounding leaves is unknown's
    found = [
        Hypothesis(role, actor.actor_id, actor.name, p[actor.actor_id], _grade(matched[actor.actor_id]),
                   _because(matched[actor.actor_id]))
        for actor in actors if p[actor.actor_id] >= LISTED and any(one.bits > 0 for one in matched[actor.actor_id])
    ]  # fmt: skip
    rest = round(1.0 - sum(one.p for one in found), 4)
    unknown = Hypothesis(role, UNKNOWN, UNKNOWN, rest, Grade.INFERRED, _why_unknown(len(actors), bits, tied))
    return sorted([*found, unknown], key=lambda one: (-one.p, one.operator != UNKNOWN, one.operator))


def weigh(matches: Sequence[Match]) -> float:
    """Return the bits for one actor: families add, the strongest only as far as the others bear it out."""
    families: dict[str, list[float]] = {}
    for one in matches:
        families.setdefault(one.family, []).append(one.bits)
    gains, support, absent = [0.0], 0.0, 0.0
    for family, bits in families.items():
        first, *others = sorted((own for own in bits if own > 0), reverse=True) or [0.0]
        gain = min(first + OTHERS * sum(others), CEILING[family])
        if not gain:
            absent += ABSENT
        elif gain >= SPEAKS and family in SUPPORTING:
            support += gain
        elif gain >= SPEAKS:
            gains.append(gain)
    strongest = max(gains)
    rest = sum(gains) - strongest
    return min(strongest, CORROBORATED * rest) + rest + (support if rest else 0.0) + max(absent, MOST_ABSENT)


def _tied(bits: Mapping[str, float]) -> list[str]:
    best = max(bits.values())
    near = [name for name, own in bits.items() if own > 0 and own >= best - TIE]
    return near if len(near) > 1 else []


def _hearsay(matches: Sequence[Match]) -> bool:
    shown = [one for one in matches if one.bits > 0]
    return bool(shown) and all(one.grade is Grade.REPORTED for one in shown)


def _grade(matches: Sequence[Match]) -> Grade:
    return Grade.REPORTED if _hearsay(matches) else Grade.INFERRED


def _because(matches: Sequence[Match]) -> tuple[Claim, ...]:
    ranked = sorted(matches, key=lambda one: (-one.bits, one.kind))
    return tuple(
        Claim(f"{one.kind}: {one.because} ({f'{one.bits:+.1f} bits' if one.bits > 0 else 'no match'}; source: "
              f"{one.source})", one.grade)
        for one in ranked
    )  # fmt: skip


def _why_unknown(actors: int, bits: Mapping[str, float], tied: Sequence[str]) -> tuple[Claim, ...]:
    if tied:
        text = f"{' and '.join(sorted(tied))} fit alike, so neither is named"
    elif max(bits.values()) <= 0:
        text = f"none of {actors} known actors fits in two independent families of traits"
    else:
        text = (
            f"the actor may be none of the {actors} known ones; before any evidence that is {PRIOR_UNKNOWN:.0%} likely"
        )
    return (Claim(text, Grade.INFERRED),)
