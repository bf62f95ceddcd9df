"""Accounts of a planted operator: bought, aged or made in bursts, behind proxies, on cards of their own or shared."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, below, choose, mix, seeds, stir
from stillwatch.lab.networks import networks
from stillwatch.lab.roster import COMPANY, DISPOSABLE, FREE_MAIL, country, newcomers, route_by
from stillwatch.lab.scenario import Access, Identity, Scenario
from stillwatch.lab.stacks import rare_stack, stacks
from stillwatch.lab.world import DAY, HOUR, World


def enlist(world: World, rng: np.random.Generator, scenario: Scenario, count: int) -> Array:
    """The accounts of one operator, with what they share and what they were given to differ in."""
    who = newcomers(world, rng, count)
    who["org"], who["until"], who["profile"], who["share2"] = -1, world.end, 3, 0.0
    if scenario.access.countries:
        codes = np.array([country(code) for code in scenario.access.countries])
        who["country"] = codes[rng.integers(0, len(codes), count)]
    _sign_up(world, rng, who, scenario)
    _identify(rng, who, scenario.identity)
    _connect(rng, who, scenario.access)
    if scenario.identity.sharing < 1:
        _keep_apart(rng, who, scenario.identity.sharing)
    who["model"], who["adopts"] = scenario.work.model, world.end + DAY
    who["keys"], who["thinks"] = 1, 0.0
    who["temperature"] = 0.7 if scenario.work.limit and scenario.work.wording == "campaign" else who["temperature"]
    return who


def _sign_up(world: World, rng: np.random.Generator, who: Array, scenario: Scenario) -> None:
    count = len(who)
    first = world.start + int(world.span * scenario.schedule.first)
    if scenario.identity.signup == "burst":
        who["created"] = first - (rng.gamma(2.0, 9.0, count) * HOUR).astype(np.int64)
    elif scenario.identity.signup == "waves":
        waves = first - (rng.uniform(1, 60, max(2, count // 18)) * DAY).astype(np.int64)
        who["created"] = rng.choice(waves, count) + (rng.exponential(5.0, count) * HOUR).astype(np.int64)
    else:
        who["created"] = first - (rng.uniform(20, 640, count) * DAY).astype(np.int64)
    who["created"] = np.minimum(who["created"], first - HOUR)
    who["since"] = np.maximum(first, who["created"] + HOUR)


def _identify(rng: np.random.Generator, who: Array, identity: Identity) -> None:
    count = len(who)
    who["payment"] = _shared(rng, count, identity.accounts_per_card)
    who["phone"] = _shared(rng, count, identity.accounts_per_phone)
    free = choose(rng, {0: 50, 1: 18, 2: 12, 5: 8, 6: 5, 8: 4, 3: 6}, count) % len(FREE_MAIL)
    throwaway = DISPOSABLE + rng.integers(0, 15, count)
    own = COMPANY + rng.integers(1 << 22, 1 << 24, count)
    who["domain"] = {
        "free": free,
        "disposable": np.where(rng.random(count) < 0.7, throwaway, free),
        "mixed": np.select([rng.random(count) < 0.25, rng.random(count) < 0.3], [throwaway, own], free),
        "company": np.where(rng.random(count) < 0.7, own, free),
    }[identity.mail]
    who["plan"] = choose(rng, {int(key): weight for key, weight in identity.plans.items()}, count)
    who["verification"] = choose(rng, {int(key): weight for key, weight in identity.verification.items()}, count)
    who["program"] = np.where(rng.random(count) < identity.programs, rng.integers(1, 4, count), 0)
    declared = rng.random(count) < identity.companies
    who["org"] = np.where(declared, rng.integers(1 << 27, 1 << 30, count), -1)
    who["domain"] = np.where(declared, COMPANY + who["org"], who["domain"])


def _shared(rng: np.random.Generator, count: int, per_value: float) -> Array:
    """One value for about `per_value` accounts each, unevenly; one each from 1 down, none at 0."""
    if per_value <= 0:
        return np.zeros(count, np.uint64)
    if per_value <= 1:
        return seeds(rng, count)
    values = seeds(rng, max(1, round(count / per_value)))
    weight = rng.gamma(2.0, 1.0, len(values))
    return values[rng.choice(len(values), count, p=weight / weight.sum())]


def _connect(rng: np.random.Generator, who: Array, access: Access) -> None:
    rows = np.arange(len(who))
    part = rng.random(len(who))
    if access.network in {"residential", "rotating"}:
        route_by(rng, who, rows, "home")
    elif access.network == "mixed":
        route_by(rng, who, rows[part < 0.45], "home")
        route_by(rng, who, rows[part >= 0.45], "cloud")
        _exits(rng, who, rows[part >= 0.45], access.accounts_per_address)
    else:
        route_by(rng, who, rows, "cloud")
        _exits(rng, who, rows, access.accounts_per_address)
    if access.network == "rotating":  # a new home in another carrier's network, every few hours
        homes = networks().of("home")
        who["net2"], who["anchor2"] = rng.choice(homes, len(who)), seeds(rng, len(who))
        who["share2"], who["lease"], who["bits"] = 0.5, 4 * HOUR, 14
    who["stack2"] = who["stack"] = _clients(rng, access.stack, len(who))
    who["channel"] = choose(rng, {int(key): weight for key, weight in access.channels.items()}, len(who))


def _keep_apart(rng: np.random.Generator, who: Array, sharing: float) -> None:
    """Give the rest of a mixed ring a card, a phone and a home each."""
    apart = np.flatnonzero(rng.random(len(who)) >= sharing)
    for name in ("payment", "phone"):
        who[name][apart] = np.where(who[name][apart] > 0, seeds(rng, len(apart)), 0)
    who["salt"][apart] = seeds(rng, len(apart))
    route_by(rng, who, apart, "home")


def _exits(rng: np.random.Generator, who: Array, rows: Array, per_address: float) -> None:
    """Let about `per_address` accounts leave by each address, and rotate over a handful."""
    exits = max(1, round(len(rows) / max(per_address, 1.0)))
    slot = rng.integers(0, exits, len(rows))
    key = int(rng.integers(1, 1 << 40))
    nets = networks().of("cloud")
    who["net"][rows] = nets[below(stir(slot, key), len(nets))]
    who["anchor"][rows], who["bits"][rows] = stir(slot, key + 1), 5
    who["spread"][rows], who["lease"][rows] = (1 if per_address > 1 else 3), 9 * HOUR
    who["salt"][rows] = np.where(per_address > 1, mix(slot), who["salt"][rows])


def _clients(rng: np.random.Generator, kind: str, count: int) -> Array:
    if kind == "rare":
        return np.repeat(rare_stack(rng), count)
    if kind == "uniform":
        return np.repeat(stacks().draw(rng, 1, "httpx", "aiohttp", "python-sdk"), count)
    if kind == "python":
        return stacks().draw(rng, count, "python-sdk", "httpx", "aiohttp", "requests")
    return stacks().draw(rng, count)
