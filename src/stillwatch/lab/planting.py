"""What a planted operator sends: items of a question pool in a template, spread over accounts by a scheduler."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab.aftermath import fail_over, refuse_trials, resold
from stillwatch.lab.chance import Array, stir
from stillwatch.lab.companies import customer_wording
from stillwatch.lab.dealing import deal_out
from stillwatch.lab.evasions.catalogue import Operation
from stillwatch.lab.evasions.dilution import cover
from stillwatch.lab.evasions.identity import age, disguise, how_many
from stillwatch.lab.evasions.routes import hijack, resell, sanitise
from stillwatch.lab.evasions.timing import retime
from stillwatch.lab.evasions.wording import deal, reword
from stillwatch.lab.operators import enlist
from stillwatch.lab.scenario import Work
from stillwatch.lab.traffic import answer_in_tokens, mint, visits
from stillwatch.lab.world import DAY, HOUR, NEW, Group, World


@dataclass(frozen=True)
class Planted:
    """One operation's traffic, and how much of it there would be without the accounts and exchanges that hide it.

    Accounts of the operation have pool 0; those of innocents, hijacked, have pool -1.
    """

    group: Group
    accounts: int
    exchanges: int


def plant(operation: Operation, accounts: int, exchanges: int, first_label: int) -> Planted:
    """One scenario's accounts and exchanges, labelled; the campaigns count up from `first_label`."""
    world, scenario = operation.world, operation.scenario
    rng = world.chance("scenario", scenario.name)
    who = enlist(world, rng, scenario, how_many(operation, accounts))
    who["pool"] = 0
    disguise(operation, who)
    works = scenario.owners or (scenario.work,)
    owner = _owners(rng, who, len(works))
    plans = []
    for number, work in enumerate(works):
        part = replace(operation, scenario=replace(scenario, work=work))
        plan = harvest(part, rng, who, owner[number], exchanges // len(works))
        plan["campaign"] = first_label + number
        plans.append(plan)
    if scenario.probe.exchanges:
        plans.append(search(operation, who, exchanges))
        plans[-1]["campaign"] = first_label
    harvested = np.concatenate(plans)
    who["campaign"] = _main_campaign(harvested, len(who), first_label, len(works))
    if scenario.schedule.ban:
        harvested = fail_over(world, rng, who, harvested, scenario)
    innocent = resold(world, rng, scenario, who, harvested)
    plain = len(harvested) + sum(len(one) for one in innocent)
    if operation.hides:
        who, more = hide(operation, who, harvested)
        guilty = int(np.count_nonzero(who["pool"] == 0))  # victims come after
        own = harvested[harvested["account"] < guilty]
        who["campaign"][:guilty] = _main_campaign(own, guilty, first_label, len(works))
        innocent += more
    return Planted(Group(who, np.concatenate([harvested, *innocent])), accounts, plain)


def hide(operation: Operation, who: Array, plan: Array) -> tuple[Array, list[Array]]:
    """Apply the evasions that act on a finished harvest; all accounts, and the harmless exchanges that were added."""
    age(operation, who)
    sanitise(operation, plan, len(who))
    resell(operation, who, plan)
    more = cover(operation, who, plan)
    if operation.strength("stolen"):
        victims, own = hijack(operation, plan, len(who))
        who, more = np.concatenate([who, victims]), [*more, own]
    deal(operation, plan)
    return who, more


def search(operation: Operation, who: Array, exchanges: int) -> Array:
    """The trials of many techniques by a few accounts, before the harvest."""
    world, scenario = operation.world, operation.scenario
    probe, rng = scenario.probe, world.chance("probe", scenario.name)
    few = np.arange(max(2, round(probe.accounts * len(who))))
    began = world.start + int(world.span * probe.first)
    earlier = who["since"][few] - began
    who["created"][few] -= np.maximum(earlier, 0) + rng.integers(0, DAY // 2, len(few))
    who["since"][few] = np.maximum(began, who["created"][few] + HOUR)
    trials = tuple(sorted(name for name in world.grammar.names if name.startswith("probe.")))
    work = replace(scenario.work, templates=trials, systems=(), turns=1.0)
    schedule = replace(scenario.schedule, kind="even", first=probe.first, last=probe.last)
    part = replace(operation, scenario=replace(scenario, work=work, schedule=schedule))
    plan = harvest(part, rng, who, few, round(exchanges * probe.exchanges))
    refuse_trials(rng, plan, probe)
    return plan


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


def harvest(operation: Operation, rng: np.random.Generator, who: Array, members: Array, rows: int) -> Array:
    """The exchanges of one workload owner over the given accounts."""
    world, work = operation.world, operation.scenario.work
    ts, account, place = deal_out(world, rng, operation.scenario, who, members, rows)
    plan = visits(rng, who, account, retime(operation, who, ts, account, place))
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
    reword(operation, who, plan)
    return plan


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
