"""What a planted operator sends: items of a question pool in a template, spread over accounts by a scheduler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.lab.chance import Array, stir
from stillwatch.lab.companies import customer_wording
from stillwatch.lab.operators import enlist
from stillwatch.lab.ordinary import any_language, natural_talk
from stillwatch.lab.rhythm import EVENING, OFFICE, job_ticks, moments, pauses, sessions, window
from stillwatch.lab.scenario import Scenario, Work
from stillwatch.lab.traffic import answer_in_tokens, mint, visits
from stillwatch.lab.world import HOUR, MINUTE, NEW, Group, World


def plant(world: World, scenario: Scenario, accounts: int, exchanges: int, first_label: int) -> Group:
    """One scenario's accounts and exchanges, labelled; the campaigns count up from `first_label`."""
    rng = world.chance("scenario", scenario.name)
    who = enlist(world, rng, scenario, accounts)
    works = scenario.owners or (scenario.work,)
    owner = _owners(rng, who, len(works))
    plans = []
    for number, work in enumerate(works):
        part = replace(scenario, work=work)
        plan = harvest(world, rng, part, who, owner[number], exchanges // len(works))
        plan["campaign"] = first_label + number
        plans.append(plan)
    harvested = np.concatenate(plans)
    who["campaign"] = _main_campaign(harvested, len(who), first_label, len(works))
    if scenario.schedule.ban:
        harvested = fail_over(world, rng, who, harvested, scenario)
    innocent = resold(world, rng, scenario, who, harvested)
    return Group(who, np.concatenate([harvested, *innocent]))


def _owners(rng: np.random.Generator, who: Array, works: int) -> list[Array]:
    """Which accounts serve each owner: mostly one, now and then two."""
    main = rng.integers(0, works, len(who))
    also = np.where(rng.random(len(who)) < 0.12, rng.integers(0, works, len(who)), main)
    return [np.flatnonzero((main == number) | (also == number)) for number in range(works)]


def _main_campaign(plan: Array, accounts: int, first: int, works: int) -> Array:
    counts = np.bincount(
        plan["account"].astype(np.int64) * works + plan["campaign"] - first, minlength=accounts * works
    )
    table = counts.reshape(accounts, works)
    return np.where(table.sum(axis=1) > 0, first + table.argmax(axis=1), -1)


def harvest(world: World, rng: np.random.Generator, scenario: Scenario, who: Array, members: Array, rows: int) -> Array:
    """The exchanges of one workload owner over the given accounts."""
    work = scenario.work
    ts, account, place = _when_and_who(world, rng, scenario, who, members, rows)
    plan = visits(rng, who, account, ts)
    plan["turns"] = 1 + 2 * place
    pool = int(rng.integers(1, 1 << 50))
    item = np.arange(len(plan))
    again = rng.random(len(plan)) < work.repeats
    item[again] = rng.integers(0, len(plan), int(again.sum()))
    plan["item"] = stir(pool, rng.permutation(len(plan))[item])
    template = rng.integers(0, len(work.templates), len(plan)) if place.max() == 0 else account % len(work.templates)
    plan["rule"] = np.array([world.rule(name) for name in work.templates])[template]
    plan["rule"] = np.where(place > 0, world.rule("agent.step"), plan["rule"])
    if work.systems:
        plan["system"] = np.array([world.rule(name) for name in work.systems])[account % len(work.systems)]
    wording = stir(pool, 7)[0]
    plan["author"] = wording if work.wording == "campaign" else stir(who["author"][account], wording)
    if work.limit:
        plan["limit"], plan["stream"] = work.limit, False
    plan["context"] += (place * rng.lognormal(6.8, 0.5, len(plan))).astype(np.int32)
    _shape(world, rng, plan, work, pool)
    answer_in_tokens(rng, plan, work.output, 0.55)
    return plan


def _when_and_who(
    world: World, rng: np.random.Generator, scenario: Scenario, who: Array, members: Array, rows: int
) -> tuple[Array, Array, Array]:
    """Moments, accounts and places in a conversation, as the operator's scheduler deals them out."""
    schedule = scenario.schedule
    first = world.start + int(world.span * schedule.first)
    last = world.start + int(world.span * schedule.last)
    weight = rng.gamma(schedule.evenness, 1.0, len(members))
    if scenario.work.turns > 1:
        which, conversation, place = sessions(rng, weight / weight.sum() * rows, scenario.work.turns)
        who["profile"][members] = EVENING if scenario.work.relay else OFFICE
        opened = moments(world, rng, who, members[which[place == 0]])
        return opened[conversation] + pauses(rng, place, 25.0), members[which], place
    if schedule.kind == "synchronised":  # dealt round, job by job
        ts, _ = job_ticks(world, rng, rows, schedule.jobs, first, last)
        account = members[(np.arange(rows) * 7 + rng.integers(0, 3, rows)) % len(members)]
    else:
        account = members[rng.choice(len(members), rows, p=weight / weight.sum())]
        if schedule.kind == "even" or schedule.kind == "burst":
            ts = window(rng, rows, first, last)
        else:
            if schedule.kind == "office":
                who["profile"][members], who["zone"][members] = OFFICE, 8
            else:
                who["profile"][members] = rng.integers(0, 2, len(members))
            who["until"][members] = last
            ts = moments(world, rng, who, account)
    return ts, account, np.zeros(rows, np.int64)


def _shape(world: World, rng: np.random.Generator, plan: Array, work: Work, pool: int) -> None:
    """Pivot, relay, framing and replay: what marks some campaigns."""
    if work.pivot:
        moved = rng.random(len(plan)) < work.pivot
        late = plan["ts"] > world.release + (rng.uniform(2, 23, len(plan)) * HOUR).astype(np.int64)
        plan["model"] = np.where(moved & late, NEW, plan["model"])
    if work.relay:
        plan["author"] = stir(pool, 7)[0]
        plan["rule"] = np.where(plan["turns"] == 1, plan["rule"], world.rule("relay.turn"))
    if work.copies_customer:
        worn = (rng.random(len(plan)) < work.copies_customer) & (plan["turns"] == 1)
        plan["rule"][worn], plan["system"][worn] = world.rule("framed.prompt"), world.rule("framed.system")
        plan["author"][worn] = customer_wording(world)
    if work.replay:
        _replay(rng, plan)


def _replay(rng: np.random.Generator, plan: Array) -> None:
    """One part of the accounts lets answers mint handles; the others submit these minutes to hours later."""
    by_time = np.sort(plan, order="ts", kind="stable")
    plan[:] = by_time
    mint(rng, plan, plan["account"] % 3 == 0)
    minted = np.flatnonzero(plan["minted"])
    taker = np.flatnonzero((plan["account"] % 3 != 0) & (np.arange(len(plan)) > minted[0]))
    back = np.searchsorted(minted, taker) - 1 - rng.geometric(0.05, len(taker))
    plan["submitted"][taker] = plan["minted"][minted[np.maximum(back, 0)]]
    plan["minted"][taker] = 0


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
