"""Evasions by harmless talk: cover beside the harvest, a warm-up before it."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, stir
from stillwatch.lab.evasions.catalogue import Operation
from stillwatch.lab.ordinary import any_language, natural_talk
from stillwatch.lab.world import HOUR

MOST = 0.95  # of an account's traffic at mixing 1; FACTS 5, hardest case 4
WARM_UP = 0.12  # of the harvest, as harmless talk before most of it; a judgement
WARM_UNTIL = 0.4  # part of the span


def cover(operation: Operation, who: Array, plan: Array) -> list[Array]:
    """Harmless exchanges of the accounts that harvest, in proportion to what they harvest."""
    counts = np.bincount(plan["account"], minlength=len(who))[: len(who)].astype(float)
    added = []
    if operation.strength("mixing"):
        share = MOST * operation.strength("mixing")
        added.append(_talk(operation, "mixing", who, counts * share / (1 - share), 1.0))
    if operation.strength("ageing"):
        warm = counts * WARM_UP * operation.joined("ageing", len(who))
        added.append(_talk(operation, "ageing", who, warm, WARM_UNTIL))
    return [one for one in added if len(one)]


def _talk(operation: Operation, name: str, who: Array, volume: Array, until: float) -> Array:
    """Conversations of many customers in the given accounts, until a part of the span or until they are suspended."""
    world, rng = operation.world, operation.chance(name, "talk")
    active = np.flatnonzero(volume >= 0.5)
    people = who[active].copy()
    if not len(people):
        return np.empty(0)
    people["volume"] = volume[active]
    people["profile"], people["language"] = rng.integers(0, 3, len(people)), any_language(rng, len(people))
    people["since"] = np.maximum(world.start, people["created"] + HOUR)
    ends = world.start + int(world.span * until)
    people["until"] = np.where(people["suspended"] > 0, np.minimum(people["suspended"] - HOUR, ends), ends)
    people["until"] = np.maximum(people["until"], people["since"] + HOUR)
    talk = natural_talk(world, rng, people, 2.8)
    talk["author"] = stir(talk["author"], talk["ts"] // (6 * HOUR))
    talk["account"] = active[talk["account"]]
    return talk
