"""Evasions of who an account is: more accounts, homes and cards of their own, old ones."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, seeds
from stillwatch.lab.evasions.catalogue import Operation
from stillwatch.lab.roster import route_by
from stillwatch.lab.world import DAY

TIMES_SLOW = 10.0  # as many accounts at strength 1; FACTS 0 (2): from 857 exchanges a day to 25.6 is a factor of 33
OLDEST = 700 * DAY
YOUNGEST = 60 * DAY
ROUTE = ("net", "anchor", "bits", "spread", "lease", "salt", "share2")


def how_many(operation: Operation, accounts: int) -> int:
    """Accounts over which the same harvest is spread."""
    return round(accounts * TIMES_SLOW ** operation.strength("slow"))


def disguise(operation: Operation, who: Array) -> None:
    """Give accounts homes and cards of their own, before they send anything."""
    if operation.strength("residential"):
        _move_home(operation.chance("residential"), who, operation.joined("residential", len(who)))
    if operation.strength("cards"):
        own = seeds(operation.chance("cards"), len(who))
        joined = operation.joined("cards", len(who)) & (who["payment"] > 0)
        who["payment"] = np.where(joined, own, who["payment"])


def _move_home(rng: np.random.Generator, who: Array, joined: Array) -> None:
    moved = who.copy()
    moved["salt"] = seeds(rng, len(who))
    route_by(rng, moved, np.arange(len(who)), "home")
    moved["spread"], moved["share2"] = 1, 0.0  # one address, for as long as the account lives
    for name in ROUTE:
        who[name] = np.where(joined, moved[name], who[name])


def age(operation: Operation, who: Array) -> None:
    """Let accounts be older than they are; no exchange moves."""
    if not operation.strength("ageing"):
        return
    older = operation.chance("ageing", "age").uniform(YOUNGEST, OLDEST, len(who)).astype(np.int64)
    created = np.minimum(who["created"], operation.world.start - older)
    who["created"] = np.where(operation.joined("ageing", len(who)), created, who["created"])
