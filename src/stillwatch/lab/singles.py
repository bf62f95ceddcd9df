"""Look-alikes who are one account each: they grade, keep audit trails, review changes, or change accounts."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import heavy_tail, stir
from stillwatch.lab.ordinary import natural_talk
from stillwatch.lab.rhythm import OFFICE, SERVICE, moments
from stillwatch.lab.roster import newcomers, route_by
from stillwatch.lab.traffic import answer_in_tokens, visits
from stillwatch.lab.world import Group, World


def _alone(world: World, rng: np.random.Generator, accounts: int, exchanges: int, rule: str) -> Group:
    who = newcomers(world, rng, accounts)
    who["volume"], who["profile"] = heavy_tail(rng, accounts, exchanges, 1.2), SERVICE
    account = np.repeat(np.arange(accounts), np.round(who["volume"]).astype(np.int64))
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"] = world.rule(rule)
    return Group(who, plan)


def judges(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """People who let a model grade their own product's answers by a rubric of their own."""
    group = _alone(world, rng, accounts, exchanges, "judge.prompt")
    group.exchanges["temperature"] = 0.0
    answer_in_tokens(rng, group.exchanges, 150.0, 0.7)
    return group


def auditors(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Regulated firms that must keep the reasons of each decision, so they ask for reasoning written out."""
    group = _alone(world, rng, accounts, exchanges, "audit.prompt")
    group.exchanges["system"] = world.rule("audit.system")
    group.accounts["verification"] = np.where(rng.random(accounts) < 0.7, 4, 3)
    answer_in_tokens(rng, group.exchanges, 600.0, 0.5)
    return group


def reviewers(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Review bots in continuous integration: one account, a new cloud address for every run."""
    group = _alone(world, rng, accounts, 0, "ci.review")
    who = group.accounts
    route_by(rng, who, np.arange(accounts), "ci")
    who["share2"], who["profile"] = 0.0, OFFICE
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.2)
    account = np.repeat(np.arange(accounts), np.round(who["volume"]).astype(np.int64))
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"], plan["system"] = world.rule("ci.review"), world.rule("ci.system")
    plan["context"] += rng.lognormal(7.0, 0.9, len(plan)).astype(np.int32)
    return Group(who, plan)


def movers(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """People with an account at work and one at home who now and then carry a conversation over, handles and all."""
    pairs = max(1, accounts // 2)
    who = newcomers(world, rng, pairs * 2)
    who["volume"], who["thinks"] = heavy_tail(rng, pairs * 2, exchanges, 1.0), 0.8
    who["author"] = np.repeat(who["author"][:pairs], 2)
    plan = natural_talk(world, rng, who, 4.0)
    carried = (plan["submitted"] > 0) & (rng.random(len(plan)) < 0.04)
    plan["account"] = np.where(carried, plan["account"] ^ 1, plan["account"])
    plan["author"] = stir(plan["author"], 1)
    return Group(who, plan)
