"""When a planted operator sends, and through which account: jobs dealt round, office hours, bursts, conversations."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array
from stillwatch.lab.rhythm import EVENING, OFFICE, job_ticks, moments, pauses, sessions, window
from stillwatch.lab.scenario import Scenario
from stillwatch.lab.world import World


def deal_out(
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
    elif schedule.kind == "partly":  # some in jobs, the rest in each account's own hours
        account = members[rng.choice(len(members), rows, p=weight / weight.sum())]
        who["profile"][members], who["until"][members] = rng.integers(0, 2, len(members)), last
        jobs, _ = job_ticks(world, rng, rows, schedule.jobs, first, last)
        ts = np.where(rng.random(rows) < schedule.together, jobs, moments(world, rng, who, account))
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
