"""The whole population: sized, planted, shuffled and sorted, so that no order tells who is who."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab.cast import lookalikes
from stillwatch.lab.chance import Array
from stillwatch.lab.grammar import grammar_of
from stillwatch.lab.ordinary import ordinary
from stillwatch.lab.planting import plant
from stillwatch.lab.scenario import load_scenario, scenario_names
from stillwatch.lab.world import DAY, Group, World, merge

DEFAULT_EXCHANGES = 300_000  # the size for which scenario files give their numbers
INNOCENT_SHARE = 0.75  # of all exchanges, by which the cast gives its shares


@dataclass(frozen=True, slots=True)
class Request:
    """What to generate."""

    exchanges: int = DEFAULT_EXCHANGES
    accounts: int = 6_000
    seed: int = 7
    split: str = "tuning"
    days: int = 14
    scenarios: tuple[str, ...] = ()  # all when empty
    attack_share: float = 0.25  # of all exchanges, when every scenario is planted
    prompts: str = "own"  # own, real


@dataclass(frozen=True)
class Traffic:
    """The composed population and the names of what was planted in it."""

    world: World
    group: Group
    campaigns: tuple[str, ...]
    pools: tuple[str, ...]


def compose(request: Request) -> Traffic:
    """Accounts and planned exchanges with their labels, in order of time."""
    world = World(request.seed, request.split, request.days * DAY, grammar_of(request.split, request.prompts))
    factor = request.exchanges / DEFAULT_EXCHANGES * request.attack_share / 0.25
    crowd = request.accounts / 6_000 * request.attack_share / 0.25
    groups: list[Group] = []
    campaigns: list[str] = []
    pools: list[str] = []
    for name in request.scenarios or scenario_names():
        scenario = load_scenario(name, request.split)
        accounts = max(12, round(scenario.accounts * crowd))
        group = plant(world, scenario, accounts, max(accounts, round(scenario.exchanges * factor)), len(campaigns))
        group.accounts["pool"] = len(pools)
        campaigns += scenario.labels
        pools.append(scenario.pool or f"pool-{scenario.letter}")
        groups.append(group)
    innocent_accounts = max(50, request.accounts - sum(len(group.accounts) for group in groups))
    left = max(innocent_accounts, request.exchanges - sum(len(group.exchanges) for group in groups))
    groups += lookalikes(world, request.accounts, round(left / INNOCENT_SHARE))
    seen = sum(len(group.accounts) for group in groups)
    sent = sum(len(group.exchanges) for group in groups)
    groups += ordinary(world, max(50, request.accounts - seen), max(50, request.exchanges - sent))
    return Traffic(world, _settle(world, merge(groups)), tuple(campaigns), tuple(pools))


def _settle(world: World, group: Group) -> Group:
    """Sort exchanges by time and deal accounts new numbers; drop what fell outside the span."""
    rng = world.chance("order")
    plan = group.exchanges
    plan = plan[(plan["ts"] >= world.start) & (plan["ts"] < world.end)]
    plan = plan[np.argsort(plan["ts"], kind="stable")]
    active = np.zeros(len(group.accounts), bool)
    active[plan["account"]] = True
    keep = rng.permutation(
        np.flatnonzero(active | (group.accounts["lookalike"] < 0) & (group.accounts["campaign"] < 0))
    )
    number = np.full(len(group.accounts), -1, np.int32)
    number[keep] = np.arange(len(keep))
    plan["account"] = number[plan["account"]]
    return Group(_plausible(group.accounts[keep]), plan, group.licences)


def _plausible(accounts: Array) -> Array:
    """Free plans pay with nothing; who has no phone was not verified by one."""
    accounts["payment"] = np.where(accounts["plan"] == 0, 0, accounts["payment"])
    no_card = (accounts["payment"] == 0) & (accounts["verification"] == 3)
    accounts["verification"] = np.where(no_card, 2, accounts["verification"])
    no_phone = (accounts["phone"] == 0) & (accounts["verification"] == 2)
    accounts["verification"] = np.where(no_phone, 1, accounts["verification"])
    return accounts
