"""Look-alikes that one event or one product brings together: they sign up, start and write alike, and are strangers.

They have much of what a campaign has (a burst of accounts, one frame, fresh fills, one place) because something outside
explains it: a class, a weekend, a tool that calls the model from its own servers with its customers' keys.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, below, heavy_tail, mix, stir
from stillwatch.lab.networks import networks
from stillwatch.lab.rhythm import EVENING, SERVICE, moments, window
from stillwatch.lab.roster import COMPANY, newcomers, route_by
from stillwatch.lab.stacks import rare_stack
from stillwatch.lab.traffic import answer_in_tokens, visits
from stillwatch.lab.world import DAY, HOUR, MINUTE, Group, World


def _quota(rng: np.random.Generator, accounts: int, exchanges: int) -> Array:
    """The account of each exchange, where everyone has about as many to make."""
    return np.repeat(np.arange(accounts), np.maximum(1, rng.poisson(exchanges / accounts, accounts)))


def worksheet(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A class that fills one worksheet in three sessions: one room, a template from the teacher, a quota each."""
    net = int(rng.choice(networks().of("campus")))
    who = newcomers(world, rng, accounts, networks().countries[net])
    who["domain"] = np.where(rng.random(accounts) < 0.6, COMPANY + 70_002, who["domain"])
    who["created"] = world.start + int(world.span * 0.2) + (rng.exponential(6.0, accounts) * HOUR).astype(np.int64)
    who["plan"], who["org"], who["payment"] = 0, -1, 0
    route_by(rng, who, np.arange(accounts), "campus")
    who["net"], who["anchor"], who["share2"] = net, mix(net + 4)[0], 0.25
    who["author"] = mix(world.seed + 61)[0]
    account = _quota(rng, accounts, exchanges)
    session = world.start + int(world.span * 0.2) + rng.integers(1, 4, len(account)) * 2 * DAY + 14 * HOUR
    plan = visits(rng, who, account, session + (rng.random(len(account)) * 100 * MINUTE).astype(np.int64))
    plan["rule"] = world.rule("event.worksheet")
    answer_in_tokens(rng, plan, 650.0, 0.5)
    return Group(who, plan)


def remote_class(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """The same kind of class at home: no room in common, an evening or three of everyone's own choice, a quota each."""
    who = newcomers(world, rng, accounts)
    opens = world.start + int(world.span * 0.3) // DAY * DAY
    who["created"] = opens + (rng.exponential(10.0, accounts) * HOUR).astype(np.int64)
    who["plan"], who["org"], who["payment"] = 0, -1, 0
    who["author"] = mix(world.seed + 65)[0]
    account = _quota(rng, accounts, exchanges)
    evening = stir(who["salt"][account], rng.integers(0, 3, len(account)))
    begins = opens + (1 + below(evening, 5)) * DAY + (17 + below(mix(evening), 6)) * HOUR
    plan = visits(rng, who, account, begins + (rng.random(len(account)) * 70 * MINUTE).astype(np.int64))
    plan["rule"] = world.rule("event.worksheet")
    answer_in_tokens(rng, plan, 650.0, 0.5)
    return Group(who, plan)


def starter_kit(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """An online hackathon: strangers everywhere sign up the same evening and run the organiser's example program."""
    who = newcomers(world, rng, accounts)
    opens = world.start + int(world.span * 0.45)
    who["created"] = opens + (rng.exponential(4.0, accounts) * HOUR).astype(np.int64)
    who["plan"], who["org"], who["payment"] = 0, -1, 0
    who["verification"] = rng.choice([1, 1, 2], accounts)
    who["author"] = mix(world.seed + 62)[0]
    who["since"], who["until"], who["profile"] = who["created"] + HOUR // 3, opens + 52 * HOUR, EVENING
    who["volume"] = heavy_tail(rng, accounts, exchanges, 0.9)
    account = np.repeat(np.arange(accounts), np.round(who["volume"]).astype(np.int64))
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"], plan["system"] = world.rule("event.kit"), world.rule("event.kit.system")
    answer_in_tokens(rng, plan, 500.0, 0.6)
    return Group(who, plan)


def kit_in_a_hall(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A hackathon in one hall with an example program: even volumes, spread over two days and nights, one address."""
    who = newcomers(world, rng, accounts, "DE")
    opens = world.start + int(world.span * 0.6)
    who["created"] = opens + (rng.exponential(1.5, accounts) * HOUR).astype(np.int64)
    who["plan"], who["org"], who["payment"], who["verification"] = 0, -1, 0, 1
    route_by(rng, who, np.arange(accounts), "office")
    who["net"], who["anchor"], who["author"] = who["net"][0], mix(world.seed + 66)[0], mix(world.seed + 67)[0]
    account = _quota(rng, accounts, exchanges)
    plan = visits(rng, who, account, window(rng, len(account), opens + 6 * HOUR, opens + 46 * HOUR))
    plan["rule"], plan["system"] = world.rule("event.kit"), world.rule("event.kit.system")
    answer_in_tokens(rng, plan, 500.0, 0.6)
    return Group(who, plan)


def workshop(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A conference tutorial: people with their own accounts run one notebook for three hours on a hotel's network."""
    who = newcomers(world, rng, accounts, "GB")
    begins = world.start + int(world.span * 0.4) // DAY * DAY + 9 * HOUR
    who["created"] = np.minimum(who["created"], begins - DAY)
    who["author"] = mix(world.seed + 68)[0]
    route_by(rng, who, np.arange(accounts), "office")
    who["net"], who["anchor"], who["share2"] = who["net"][0], mix(world.seed + 69)[0], 0.2
    account = _quota(rng, accounts, exchanges)
    plan = visits(rng, who, account, window(rng, len(account), begins, begins + 3 * HOUR))
    plan["rule"] = world.rule("event.worksheet")
    answer_in_tokens(rng, plan, 550.0, 0.5)
    return Group(who, plan)


def own_key_tool(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A small product that calls the model from its own servers with its customers' keys: one egress, one client."""
    who = newcomers(world, rng, accounts)
    who["plan"], who["verification"] = np.maximum(who["plan"], 1), np.maximum(who["verification"], 3)
    route_by(rng, who, np.arange(accounts), "cloud")
    who["net"], who["anchor"], who["salt"] = who["net"][0], mix(world.seed + 63)[0], mix(rng.integers(0, 3, accounts))
    who["bits"], who["spread"], who["lease"], who["share2"] = 3, 2, 12 * HOUR, 0.1
    who["stack"] = rare_stack(rng)[0]
    who["author"], who["profile"] = mix(world.seed + 64)[0], SERVICE
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.2)
    account = np.repeat(np.arange(accounts), np.round(who["volume"]).astype(np.int64))
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"], plan["system"] = world.rule("event.byok"), world.rule("event.byok.system")
    answer_in_tokens(rng, plan, 240.0, 0.7)
    return Group(who, plan)


def small_firm(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A firm that never declared itself: a dozen accounts for one batch job, one mail domain, one card, one server."""
    who = newcomers(world, rng, accounts)
    name = int(rng.integers(1 << 24, 1 << 27))
    who["org"], who["domain"], who["payment"] = -1, COMPANY + name, mix(name)[0]
    who["plan"], who["verification"], who["author"] = 1, 3, mix(name + 9)[0]
    route_by(rng, who, np.arange(accounts), "cloud")
    who["net"], who["anchor"], who["stack"], who["share2"] = who["net"][0], mix(name + 5)[0], rare_stack(rng)[0], 0.0
    who["created"] = world.start - 20 * DAY + (rng.random(accounts) * DAY).astype(np.int64)
    who["since"], who["until"], who["profile"] = world.start + DAY, world.end, SERVICE
    account = _quota(rng, accounts, exchanges)
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"] = world.rule("batch.classify")
    answer_in_tokens(rng, plan, 60.0, 0.9)
    return Group(who, plan)
