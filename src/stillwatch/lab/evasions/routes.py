"""Evasions of how exchanges arrive: one uniform client, a cloud's tenant in front, somebody else's account."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, seeds
from stillwatch.lab.evasions.catalogue import Operation
from stillwatch.lab.networks import addresses
from stillwatch.lab.ordinary import natural_talk
from stillwatch.lab.roster import newcomers, route_by
from stillwatch.lab.stacks import stacks
from stillwatch.lab.world import DAY, HOUR

BEHIND_A_TENANT = 12  # accounts; a judgement
OWN_EXCHANGES = 45.0  # median that the owner of a hijacked account sends in the span; a judgement
IN_USE = 6  # hijacked accounts at a time, for every hundred accounts of the operation; a judgement


def sanitise(operation: Operation, plan: Array, accounts: int) -> None:
    """Send the same metadata from every client."""
    if not operation.strength("sanitise"):
        return
    rows = operation.joined("sanitise", accounts)[plan["account"]]
    one = stacks().draw(operation.chance("sanitise"), 1, "python-sdk")[0]
    plain = {"stack": one, "temperature": 1.0, "limit": 4096, "stream": False, "key": 0, "endpoint": 0}
    for name, value in plain.items():
        plan[name] = np.where(rows, value, plan[name])
    plan["output"] = np.minimum(plan["output"], plan["limit"])


def resell(operation: Operation, who: Array, plan: Array) -> None:
    """Move accounts behind tenants of a cloud: one account, one address block and one client stand for many."""
    if not operation.strength("resale"):
        return
    rng = operation.chance("resale")
    order = rng.permutation(len(who))
    first = order[np.arange(len(who)) // BEHIND_A_TENANT * BEHIND_A_TENANT]
    tenant = np.arange(len(who))
    tenant[order] = first
    channel = rng.integers(1, 4, len(who))
    cloud = who.copy()
    cloud["salt"] = seeds(rng, len(who))
    route_by(rng, cloud, np.arange(len(who)), "cloud")
    cloud["anchor"], cloud["share2"] = cloud["salt"], 0.0
    cloud["stack"] = stacks().draw(rng, len(who), "python-sdk", "node-sdk")
    rows = np.flatnonzero(operation.joined("resale", len(who))[plan["account"]])
    to = tenant[plan["account"][rows]]
    behind = np.unique(to)
    for name in ("net", "anchor", "bits", "spread", "lease", "salt", "share2", "stack"):
        who[name][behind] = cloud[name][behind]
    who["channel"][behind], who["plan"][behind], who["verification"][behind] = channel[behind], 3, 4
    old = operation.world.start - rng.integers(30, 400, len(who)) * DAY  # a tenant outlives whom it serves
    who["created"][behind], who["suspended"][behind] = np.minimum(who["created"], old)[behind], 0
    plan["account"][rows], plan["key"][rows] = to, 0
    fronted = np.flatnonzero(np.isin(plan["account"], behind))  # the tenant's own exchanges come from there too
    sender = plan["account"][fronted]
    plan["ip"][fronted], plan["net"][fronted] = addresses(who, sender, plan["ts"][fronted], np.zeros(len(sender), bool))
    plan["stack"][fronted], plan["channel"][fronted] = who["stack"][sender], who["channel"][sender]


def hijack(operation: Operation, plan: Array, accounts: int) -> tuple[Array, Array]:
    """Move a part of the harvest into accounts of innocents; these accounts, and what their owners send themselves.

    The accounts carry no campaign and no pool, their stolen exchanges do: that is how the labels name a victim. In
    `plan` victims count up from `accounts`.
    """
    rng = operation.chance("stolen")
    world, count = operation.world, max(3, accounts)
    who = newcomers(world, rng, count)
    who["created"] = np.minimum(who["created"], world.start - rng.integers(5, 300, count) * DAY)
    who["since"], who["until"] = world.start, world.end
    who["volume"] = rng.lognormal(np.log(OWN_EXCHANGES), 0.9, count)
    own = natural_talk(world, rng, who, 3.2)
    stolen = np.sort(rng.integers(0, world.span, count)) + world.start
    stolen[:3] = min(int(plan["ts"].min()) - HOUR, int(stolen[0]))
    in_use = max(3, accounts * IN_USE // 100)
    pick = rng.random(len(plan))
    known = np.searchsorted(stolen, plan["ts"])
    oldest = np.maximum(0, known - in_use)
    victim = oldest + (pick * (known - oldest)).astype(np.int64)
    moved = rng.random(len(plan)) < operation.strength("stolen")
    plan["account"] = np.where(moved, accounts + victim, plan["account"])
    plan["channel"] = np.where(moved, who["channel"][victim], plan["channel"])
    plan["key"] = np.where(moved, 0, plan["key"])
    own["account"] += accounts
    return who, own
