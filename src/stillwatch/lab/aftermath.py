"""What a planted operation meets besides its harvest: bans and the way around them, customers, refused trials."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, stir
from stillwatch.lab.ordinary import any_language, natural_talk
from stillwatch.lab.rhythm import window
from stillwatch.lab.scenario import Probe, Scenario
from stillwatch.lab.traffic import answer_in_tokens, visits
from stillwatch.lab.world import HOUR, MINUTE, World


def fail_over(world: World, rng: np.random.Generator, who: Array, plan: Array, scenario: Scenario) -> Array:
    """The first half meets refusals and is suspended; the second half, fresh, goes on within the hour."""
    ban = world.start + int(world.span * scenario.schedule.ban)
    half = len(who) // 2
    who["suspended"][:half] = ban + (rng.random(half) * 20 * MINUTE).astype(np.int64)
    who["created"][half:] = ban - (rng.exponential(20.0, len(who) - half) * HOUR).astype(np.int64)
    plan = plan.copy()
    late = plan["ts"] >= ban
    spread = rng.integers(0, half, len(plan))
    moved = np.where(late, half + spread % (len(who) - half), spread)
    fresh = visits(rng, who, moved, plan["ts"])
    for name in ("account", "ip", "net", "stack", "key", "channel"):
        plan[name] = fresh[name]
    pause = (rng.uniform(8, 45, len(plan)) * MINUTE).astype(np.int64)
    plan["ts"] += np.where(late & (plan["ts"] < ban + 15 * MINUTE), pause, 0)
    refused = visits(rng, who, np.repeat(np.arange(half), 3), ban + window(rng, half * 3, 0, 35 * MINUTE))
    donor = plan[rng.integers(0, len(plan), half * 3)]
    for name in ("rule", "item", "author", "system", "limit", "model", "campaign"):
        refused[name] = donor[name]
    after = refused["ts"] >= who["suspended"][refused["account"]]
    refused["status"], refused["output"] = np.where(after, 403, 200), np.where(after, 0, refused["output"])
    return np.concatenate([plan, refused])


def resold(world: World, rng: np.random.Generator, scenario: Scenario, who: Array, harvested: Array) -> list[Array]:
    """Innocent traffic in the same accounts: customers of the proxy's resale, or a cover the operator lays."""
    counts = np.bincount(harvested["account"], minlength=len(who)).astype(float)
    low, high = scenario.mixed
    share = rng.uniform(low, high, len(who))
    extra = counts * (1 / share - 1) + counts * scenario.schedule.cover
    extra[counts == 0] = counts.mean() * (1 / low - 1)
    if extra.sum() < 1:
        return []
    people = who[extra >= 0.5].copy()
    people["volume"] = extra[extra >= 0.5]
    people["profile"], people["until"] = rng.integers(0, 2, len(people)), world.end
    people["language"] = any_language(rng, len(people))
    plan = natural_talk(world, rng, people, 2.8)
    if scenario.mixed[0] < 1:  # each conversation is another customer's
        plan["author"] = stir(plan["author"], plan["ts"] // (6 * HOUR))
    plan["account"] = np.flatnonzero(extra >= 0.5)[plan["account"]]
    return [plan]


def refuse_trials(rng: np.random.Generator, plan: Array, probe: Probe) -> None:
    """Answer most trials of a technique with a short refusal or an error; the others give what was sought."""
    answer_in_tokens(rng, plan, probe.output, 0.6)
    draw = rng.random(len(plan))
    blocked = draw < probe.blocked
    refused = (draw < probe.blocked + probe.refused) & ~blocked & (plan["status"] == 200)
    plan["output"] = np.where(refused, rng.integers(12, 70, len(plan)), plan["output"])
    plan["status"] = np.where(blocked, rng.choice([403, 400, 429], len(plan), p=[0.55, 0.3, 0.15]), plan["status"])
    plan["output"] = np.where(blocked, 0, plan["output"])
