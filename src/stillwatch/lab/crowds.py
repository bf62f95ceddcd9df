"""Look-alikes made of strangers who happen to do the same: one tool, one benchmark, one assignment, one exit."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, below, heavy_tail, mix, stir, zipf_choice
from stillwatch.lab.networks import networks
from stillwatch.lab.ordinary import natural_talk
from stillwatch.lab.rhythm import EVENING, FLAT, OFFICE, moments
from stillwatch.lab.roster import COMPANY, newcomers, route_by
from stillwatch.lab.stacks import stacks
from stillwatch.lab.traffic import answer_in_tokens, talk, visits
from stillwatch.lab.world import DAY, HOUR, NEW, Group, World


def agent_tool(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A popular coding agent: strangers by the thousand with one system prompt, one stack, one tool list."""
    who = newcomers(world, rng, accounts)
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.6)
    who["stack"] = stacks().draw(rng, accounts, "terminal")
    plan, place = talk(world, rng, who, 9.0, 14.0)
    step = (place > 0) & (rng.random(len(plan)) < 0.72)
    plan["rule"] = np.select(
        [step, place > 0], [world.rule("agent.step"), world.rule("code.follow")], world.rule("agent.task")
    )
    plan["system"], plan["tools"] = world.rule("agent.system"), 1
    plan["context"] += rng.lognormal(8.4, 0.7, len(plan)).astype(np.int32)
    plan["stream"] = True
    answer_in_tokens(rng, plan, 210.0, 0.9)
    return Group(who, plan)


def template_tool(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A popular single-turn tool (commit messages): one fixed template, novel fills, strangers, heavy-tailed volume."""
    who = newcomers(world, rng, accounts)
    who["volume"], who["profile"] = heavy_tail(rng, accounts, exchanges, 1.6), OFFICE
    who["stack"] = stacks().draw(rng, accounts, "node-sdk")
    plan = _single_turns(world, rng, who)
    plan["rule"], plan["temperature"], plan["limit"] = world.rule("tool.commit"), 0.2, 256
    answer_in_tokens(rng, plan, 35.0, 0.5)
    return Group(who, plan)


def harness(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Laboratories that run the same public benchmark: the same items, again and again, by strangers."""
    who = newcomers(world, rng, accounts)
    who["created"] = np.minimum(who["created"], world.start - DAY)
    who["volume"] = heavy_tail(rng, accounts, exchanges, 0.9)
    runs = np.maximum(1, rng.poisson(1.6, accounts))
    account = np.repeat(np.arange(accounts), np.round(who["volume"]).astype(np.int64))
    run = rng.integers(0, runs[account])
    begins = world.start + below(stir(who["salt"][account], run), max(1, world.span - 6 * HOUR))
    lasts = rng.uniform(0.3, 5.0, accounts)[account] * HOUR
    plan = visits(rng, who, account, begins + (rng.random(len(account)) * lasts).astype(np.int64))
    suites = np.array(world.grammar.family("harness."), np.int16)
    suite = zipf_choice(rng, len(suites), accounts, 0.8)[account]
    size = np.array([198, 164, 90, 320, 500])[suite % 5]
    plan["rule"] = suites[suite]
    plan["item"] = stir(suite + 900, rng.integers(0, size))
    plan["author"], plan["temperature"], plan["limit"] = 1, 0.0, 1024
    answer_in_tokens(rng, plan, 260.0, 0.8)
    return Group(who, plan)


def campus(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Students behind one university's address, on one assignment, each in their own words, before one deadline."""
    nets = networks().of("campus")
    net = int(rng.choice(nets))
    who = newcomers(world, rng, accounts, networks().countries[net])
    who["domain"] = np.where(rng.random(accounts) < 0.6, COMPANY + 70_001, who["domain"])
    who["program"] = np.where(rng.random(accounts) < 0.5, 1, 0)
    who["created"] = np.where(
        rng.random(accounts) < 0.6, world.start + rng.integers(0, world.span // 3, accounts), who["created"]
    )
    who["plan"], who["org"], who["payment"], who["language"] = 0, -1, 0, 0
    route_by(rng, who, np.arange(accounts), "campus")
    who["net"], who["anchor"] = net, mix(net + 3)[0]
    deadline = world.start + int(world.span * 0.62)
    who["since"] = np.maximum(
        who["created"] + HOUR, deadline - (rng.exponential(2.0, accounts) * DAY).astype(np.int64) - 6 * HOUR
    )
    who["until"], who["profile"] = np.maximum(deadline, who["since"] + HOUR), EVENING
    who["share2"] = 0.35
    who["volume"] = heavy_tail(rng, accounts, exchanges, 0.8)
    plan, place = talk(world, rng, who, 4.0)
    own = rng.random(len(plan)) < 0.15
    plan["rule"] = np.select(
        [own, place > 0], [world.rule("chat.en"), world.rule("campus.follow")], world.rule("campus.ask")
    )
    return Group(who, plan)


def hackathon(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A weekend in one hall: accounts made within hours, free mail, one address, similar projects."""
    who = newcomers(world, rng, accounts, "DE")
    opens = world.start + world.span // 3
    who["created"] = opens + (rng.exponential(2.5, accounts) * HOUR).astype(np.int64)
    who["domain"] = np.where(rng.random(accounts) < 0.8, 0, who["domain"] % 16)
    who["plan"], who["org"], who["payment"], who["verification"] = 0, -1, 0, 1
    route_by(rng, who, np.arange(accounts), "office")
    who["net"], who["anchor"] = who["net"][0], mix(world.seed + 31)[0]
    who["since"], who["until"], who["profile"] = who["created"] + HOUR // 4, opens + 46 * HOUR, FLAT
    who["volume"], who["share2"] = heavy_tail(rng, accounts, exchanges, 0.7), 0.15
    plan, place = talk(world, rng, who, 5.0)
    plan["rule"] = np.where(place > 0, world.rule("code.follow"), world.rule("hack.ask"))
    return Group(who, plan)


def vpn(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Private people behind the exits of a few VPN providers, which they share with strangers."""
    who = newcomers(world, rng, accounts)
    who["net"] = rng.choice(networks().of("vpn"), accounts)
    salt = mix(who["net"].astype(np.uint64))
    who["anchor"], who["bits"], who["spread"], who["lease"], who["share2"] = salt, 5, 24, 8 * HOUR, 0.0
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.3)
    return Group(who, natural_talk(world, rng, who, 3.0))


def chasers(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Enthusiasts who move to a new model within hours, each with tests of their own."""
    who = newcomers(world, rng, accounts)
    who["adopts"] = world.release + (rng.exponential(5.0, accounts) * HOUR).astype(np.int64)
    who["since"] = np.where(rng.random(accounts) < 0.5, np.maximum(who["adopts"], who["created"] + HOUR), who["since"])
    who["until"] = np.minimum(np.maximum(who["until"], who["since"] + DAY), world.end)
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.1)
    plan = natural_talk(world, rng, who, 2.0)
    tests = rng.random(len(plan)) < 0.5
    plan["rule"][tests] = world.rule("chaser.probe")
    plan["model"] = np.where(plan["ts"] > who["adopts"][plan["account"]], NEW, plan["model"])
    return Group(who, plan)


def _single_turns(world: World, rng: np.random.Generator, who: Array) -> Array:
    account = np.repeat(np.arange(len(who)), np.round(who["volume"]).astype(np.int64))
    return visits(rng, who, account, moments(world, rng, who, account))
