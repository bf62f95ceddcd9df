"""How well hypotheses about who it is hold: right where traits are planted, unknown where they are shuffled.

`python -m stillwatch.lab.attribution` composes traffic, plants actors among decoys, detects, and prints what came out,
on the tuning or the report split.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.apps.detect import Examined, Settings, examine
from stillwatch.attribution.actors import KINDS, OWNER, POOL, UNKNOWN, Actor, Trait
from stillwatch.attribution.hypotheses import SUPPORTING, pool_accounts, rank
from stillwatch.attribution.matches import Match, match
from stillwatch.attribution.scene import Scene, Setting
from stillwatch.campaigns.describe import describe, members_of
from stillwatch.campaigns.phases import COLUMNS, Closer, look_closer
from stillwatch.campaigns.weigh import Assessment
from stillwatch.ingest.engine import Engine
from stillwatch.lab.actors import Planted, plant_actors
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.model import Hypothesis, VerdictKind
from stillwatch.sketch.groups import Membership, grouped_rows
from stillwatch.sketch.population import Ints

DRAWS = 1_000
TWO = 2  # families of traits that it takes to name an actor
STRANGERS = 40  # groups of innocent accounts that stand in for campaigns
STAYS = 0.9  # what unknown should keep where there is nothing to know
SCENARIOS = ("d_pool", "a_reasoning", "f_burst", "c_coding")
Layers = Mapping[str, list[Hypothesis]]


@dataclass(frozen=True)
class Looked:
    """Campaigns found in planted traffic, and what of each actor's traits each of them shows."""

    planted: Planted
    labels: list[str]  # the campaign label that most of each found campaign's exchanges have
    actors: tuple[Actor, ...]
    matched: list[dict[int, Match | None]]  # by campaign: number of a trait → what was found
    strangers: list[dict[int, Match | None]]  # the same of groups of innocent accounts
    traits: tuple[tuple[str, Trait], ...]  # (actor, trait), by number


def look(planted: Planted, seed: int, strangers: int = STRANGERS) -> Looked:
    """Detect in planted traffic, and look for every trait of every actor in every campaign, and among strangers."""
    settings = Settings(actors=planted.actors, secret=b"lab")
    sources = tuple(planted.folder / name for name in ("exchanges.parquet", "accounts.parquet", "licences.csv"))
    with Engine() as engine:
        seen = examine(engine, (sources[0], sources[1], sources[2]), settings)
        found = [one for one in seen.judged.assessments if one.verdict is not VerdictKind.CLEAR]
        members = members_of(found, seen.judged.membership)
        facts, flagged = describe(engine, seen.sketched, seen.population, members)
        setting = Setting(seen.population, seen.keyed)
        traits = tuple((actor.actor_id, trait) for actor in seen.keyed.actors for trait in actor.traits)
        closer = [facts[at].closer for at in range(len(found))]
        scenes = list(_scenes(seen, found, closer))
        others = list(_stranger_scenes(engine, seen, planted, found, strangers, np.random.default_rng(seed)))
        labels = _labels(planted.folder, flagged, len(found))
        return Looked(
            planted,
            labels,
            seen.keyed.actors,
            [_match_all(traits, pool, own, setting) for pool, own in scenes],
            [_match_all(traits, pool, own, setting) for pool, own in others],
            traits,
        )


def answers(looked: Looked, campaign: Mapping[int, Match | None], owner_of: Sequence[str] | None = None) -> Layers:
    """Return the ranked hypotheses of both layers; `owner_of` gives each trait to another actor than it has."""
    owners = owner_of or [actor for actor, _ in looked.traits]
    layers = {}
    for role in (POOL, OWNER):
        actors = [actor for actor in looked.actors if actor.role == role]
        matched: dict[str, list[Match]] = {actor.actor_id: [] for actor in actors}
        for number, owner in enumerate(owners):
            found = campaign[number]
            if owner in matched and found is not None:
                matched[owner].append(found)
        layers[role] = rank(role, actors, matched)
    return layers


def shuffled(looked: Looked, rng: np.random.Generator, apart: bool) -> list[str]:
    """Give the traits of each family to other actors of the same role, all of one family by one shuffle.

    `apart`: no two families of one actor come to the same other one, so that nothing of any actor is left.
    """
    owners = [actor for actor, _ in looked.traits]
    for role in (POOL, OWNER):
        names = [actor.actor_id for actor in looked.actors if actor.role == role]
        families = sorted({KINDS[trait.kind].family for actor, trait in looked.traits if actor in names})
        ring = rng.permutation(names).tolist()
        steps = rng.permutation(np.arange(1, len(ring)))[: len(families)].tolist()
        for family, step in zip(families, steps, strict=True):
            turned = ring[step:] + ring[:step] if apart else rng.permutation(names).tolist()
            given = dict(zip(ring, turned, strict=True))
            for number, (actor, trait) in enumerate(looked.traits):
                if actor in given and KINDS[trait.kind].family == family:
                    owners[number] = given[actor]
    return owners


def measure(looked: Looked, seed: int, draws: int = DRAWS) -> dict[str, Any]:
    """Return how often hypotheses are right, and how often unknown stays unknown in each null test."""
    rng = np.random.default_rng(seed)
    nulls: dict[str, list[bool]] = {"shuffled apart": [], "shuffled freely": [], "strangers": [], "not listed": []}
    for _ in range(draws):
        for name, apart in (("shuffled apart", True), ("shuffled freely", False)):
            owners = shuffled(looked, rng, apart)
            for campaign in looked.matched:
                nulls[name] += _stays(answers(looked, campaign, owners))
    for group in looked.strangers:
        nulls["strangers"] += _stays(answers(looked, group))
    listed = {*looked.planted.pool_of.values(), *looked.planted.owner_of.values()}
    without = replace(looked, actors=tuple(one for one in looked.actors if one.actor_id not in listed))
    for campaign in looked.matched:
        nulls["not listed"] += _stays(answers(without, campaign))
    return {
        "campaigns": len(looked.labels),
        "right": _right(looked),
        "unknown stays": {
            name: {"share": round(float(np.mean(own)), 4), "of": len(own)} for name, own in nulls.items()
        },
    }


def _right(looked: Looked) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {POOL: [], OWNER: []}
    truth = {POOL: looked.planted.pool_of, OWNER: looked.planted.owner_of}
    for label, campaign in zip(looked.labels, looked.matched, strict=True):
        for role, ranked in answers(looked, campaign).items():
            right = truth[role].get(label, UNKNOWN)
            shown = {
                KINDS[trait.kind].family
                for number, (actor, trait) in enumerate(looked.traits)
                if actor == right
                and KINDS[trait.kind].family not in SUPPORTING
                and (found := campaign[number]) is not None
                and found.bits > 0
            }
            told[role].append({
                "campaign": label, "families": sorted(shown), "first": ranked[0].operator, "p": ranked[0].p,
                "right": ranked[0].operator == right,
            })  # fmt: skip
    return told


def _stays(layers: Layers) -> list[bool]:
    return [one.p >= STAYS for ranked in layers.values() for one in ranked if one.operator == UNKNOWN]


def _scenes(seen: Examined, found: Sequence[Assessment], closer: Sequence[Closer]) -> Iterator[tuple[Scene, Scene]]:
    members = [one.group.accounts[one.tied] for one in found]
    served = np.bincount(np.concatenate([*members, np.zeros(0, np.int64)]), minlength=seen.population.size)
    for at, own in enumerate(members):
        pool = Scene(pool_accounts(own, seen.judged.pools), own[:0], own[:0])
        yield pool, Scene(own, own[served[own] == 1], found[at].group.clock, closer[at], found[at].group.days)


def _stranger_scenes(
    engine: Engine,
    seen: Examined,
    planted: Planted,
    found: Sequence[Assessment],
    count: int,
    rng: np.random.Generator,
) -> Iterator[tuple[Scene, Scene]]:
    """Groups of innocent accounts of the campaigns' sizes, with all that these accounts send."""
    truth = pq.read_table(planted.folder / "labels" / "accounts.parquet")
    guilty = truth.filter(pa.compute.or_(truth["campaign"].is_valid(), truth["pool"].is_valid()))["account_id"]
    innocent = np.flatnonzero(~pa.compute.is_in(seen.population.ids, guilty.combine_chunks()).to_numpy(False))
    sizes = [int(one.tied.sum()) for one in found] or [30]
    groups = [np.sort(rng.choice(innocent, sizes[at % len(sizes)], replace=False)) for at in range(count)]
    atoms = seen.population.atoms
    parts = []
    for number, own in enumerate(groups):
        at = np.flatnonzero(np.isin(atoms.account, own))
        parts.append((np.full(len(at), number), atoms.account[at], atoms.frame[at], atoms.sums["exchanges"][at]))
    group, account, frame, exchanges = (np.concatenate(column) for column in zip(*parts, strict=True))
    membership = Membership(group.astype(np.int64), account, frame, exchanges)
    rows = engine.keep("strangers", grouped_rows(engine, seen.sketched, seen.population, membership, COLUMNS))
    closer = look_closer(engine, rows)
    for number, own in enumerate(groups):
        clock: Ints = seen.population.clock[own].sum(axis=0)
        yield Scene(own, own[:0], own[:0]), Scene(own, own, clock, closer.get(number, Closer()))


def _match_all(
    traits: Sequence[tuple[str, Trait]], pool: Scene, own: Scene, setting: Setting
) -> dict[int, Match | None]:
    roles = {actor.actor_id: actor.role for actor in setting.keyed.actors}
    return {
        number: match(trait, pool if roles[actor] == POOL else own, setting)
        for number, (actor, trait) in enumerate(traits)
    }


def _labels(folder: Path, flagged: pa.Table, count: int) -> list[str]:
    truth = pq.read_table(folder / "labels" / "exchanges.parquet", columns=["exchange_id", "campaign"])
    of = dict(zip(truth["exchange_id"].to_pylist(), truth["campaign"].to_pylist(), strict=True))
    votes = [Counter[str]() for _ in range(count)]
    for group, exchange in zip(flagged["grp"].to_pylist(), flagged["exchange_id"].to_pylist(), strict=True):
        votes[group][of.get(exchange) or ""] += 1
    return [own.most_common(1)[0][0] if own else "" for own in votes]


def add_up(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return several measurements as one: how often the right actor is first, by whether two families showed it."""
    told = [one for part in parts for role in (POOL, OWNER) for one in part["right"][role]]
    shown = [one for one in told if len(one["families"]) >= TWO]
    nulls: dict[str, dict[str, float]] = {}
    for name in parts[0]["unknown stays"]:
        own = [part["unknown stays"][name] for part in parts]
        total = sum(one["of"] for one in own)
        nulls[name] = {"share": round(sum(one["share"] * one["of"] for one in own) / total, 4), "of": total}
    return {
        "two families show": {"answers": len(shown), "right actor first": sum(one["right"] for one in shown)},
        "fewer show": {
            "answers": len(told) - len(shown),
            "unknown first": sum(one["first"] == UNKNOWN for one in told if len(one["families"]) < TWO),
        },
        "unknown stays": nulls,
    }


def main() -> None:
    """Measure one split over several seeds, and print each and the sum as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=("tuning", "report"), default="report")
    parser.add_argument("--seed", type=int, nargs="+", default=[201, 202, 203])
    parser.add_argument("--exchanges", type=int, default=60_000)
    parser.add_argument("--accounts", type=int, default=3_000)
    parser.add_argument("--draws", type=int, default=DRAWS)
    asked = parser.parse_args()
    parts = {}
    for seed in asked.seed:
        with tempfile.TemporaryDirectory() as folder:
            traffic = Path(folder) / "traffic"
            request = Request(asked.exchanges, asked.accounts, seed, asked.split, scenarios=SCENARIOS)
            write_traffic(compose(request), traffic)
            planted = plant_actors(traffic, Path(folder) / "planted", seed)
            parts[seed] = measure(look(planted, seed), seed, asked.draws)
    print(json.dumps({"seeds": parts, "all": add_up(list(parts.values()))}, indent=2))


if __name__ == "__main__":
    main()
