"""The whole population: sized, planted, shuffled and sorted, so that no order tells who is who."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from stillwatch.lab.cast import lookalikes
from stillwatch.lab.evasions.catalogue import Operation, strengths
from stillwatch.lab.grammar import Grammar, grammar_of
from stillwatch.lab.material import Material, material_of, settled_name
from stillwatch.lab.ordinary import ordinary
from stillwatch.lab.planting import plant
from stillwatch.lab.population import Request, population
from stillwatch.lab.settle import Settled, settle
from stillwatch.lab.workers import default_threads, in_order
from stillwatch.lab.world import DAY, World

__all__ = ["Request", "Traffic", "compose"]

INNOCENT_SHARE = 0.75  # of all exchanges, by which the cast gives its shares


@dataclass(frozen=True)
class Traffic:
    """The composed population and the names of what was planted in it."""

    request: Request
    world: World
    group: Settled
    campaigns: tuple[str, ...]
    pools: tuple[str, ...]


def compose(request: Request, threads: int | None = None) -> Traffic:
    """Accounts and planned exchanges with their labels, in order of time; the same for any number of threads."""
    threads = threads or default_threads()
    request = replace(request, prompts=settled_name(request.prompts))
    grammar = grammar_of(request.split, request.prompts)
    material = material_of(request.split, request.prompts)
    with material.in_use():
        return _compose(request, grammar, material, threads if threads > 1 else 0)  # this thread waits for them


def _compose(request: Request, grammar: Grammar, material: Material, helpers: int) -> Traffic:
    sizes = population(request)
    world = World(request.seed, request.split, sizes.days * DAY, grammar, material=material)
    hides = strengths(request.evasions)
    scenarios = [part.scenario for part in sizes.parts]
    labels = np.cumsum([0, *(len(scenario.labels) for scenario in scenarios)])
    planting = (
        partial(plant, Operation(world, part.scenario, hides), part.accounts, part.exchanges, int(first))
        for part, first in zip(sizes.parts, labels, strict=False)
    )
    planted = list(in_order(planting, helpers))
    groups = [one.group for one in planted]
    for pool, group in enumerate(groups):
        group.accounts["pool"] = np.where(group.accounts["pool"] < 0, -1, pool)  # -1: a hijacked innocent
    accounts, left = sizes.innocents(sum(one.accounts for one in planted), sum(one.exchanges for one in planted))
    del planted
    alike = list(in_order(lookalikes(world, sizes.cast, round(left / INNOCENT_SHARE)), helpers))
    known = sum(len(group.accounts) for group in alike)
    sent = sum(len(group.exchanges) for group in alike)
    groups += alike
    del alike, group
    groups += in_order(ordinary(world, max(50, accounts - known), max(50, left - sent)), helpers)
    campaigns = tuple(label for scenario in scenarios for label in scenario.labels)
    pools = tuple(scenario.pool or f"pool-{scenario.letter}" for scenario in scenarios)
    return Traffic(request, world, settle(world, groups), campaigns, pools)
