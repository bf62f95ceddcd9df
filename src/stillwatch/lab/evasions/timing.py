"""Evasions of when: noise, hours of one's own, a rising ramp. Conversations move as a whole."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array
from stillwatch.lab.evasions.catalogue import Operation
from stillwatch.lab.rhythm import moments
from stillwatch.lab.world import HOUR, SECOND

WIDEST = 3 * HOUR  # scale of the noise at strength 1; FACTS 4: minutes to hours
STEEPEST = 1.5  # of the ramp at strength 1: the harvest's rate grows with this power of time


def retime(operation: Operation, who: Array, ts: Array, account: Array, place: Array) -> Array:
    """New moments for the harvest; everything that follows from a moment is decided after this."""
    if not any(operation.strength(name) for name in ("jitter", "schedules", "ageing")) or not len(ts):
        return ts
    first, last = _window(operation)
    opens = np.flatnonzero(place == 0)
    opened, sender = ts[opens], account[opens]
    moved = opened.copy()
    if operation.strength("schedules"):
        own = _own_hours(operation, who, sender, first, last)
        moved = np.where(operation.joined("schedules", len(who))[sender], own, moved)
    if operation.strength("ageing"):
        part = np.clip((moved - first) / (last - first), 0.0, 1.0)
        ramp = first + (part ** (1 / (1 + STEEPEST * operation.strength("ageing"))) * (last - first)).astype(np.int64)
        moved = np.where(operation.joined("ageing", len(who))[sender], ramp, moved)
    if operation.strength("jitter"):
        noise = _chance(operation, "jitter").laplace(0.0, 1.0, len(opened))
        moved = _reflect(moved + (noise * operation.strength("jitter") * WIDEST).astype(np.int64), first, last)
    return ts + np.repeat(moved - opened, np.diff([*opens, len(ts)]))


def _chance(operation: Operation, name: str) -> np.random.Generator:
    return operation.chance(name, *operation.scenario.work.templates)  # owners of one pool each draw for themselves


def _window(operation: Operation) -> tuple[int, int]:
    world, schedule = operation.world, operation.scenario.schedule
    return world.start + int(world.span * schedule.first), world.start + int(world.span * schedule.last) - SECOND


def _own_hours(operation: Operation, who: Array, sender: Array, first: int, last: int) -> Array:
    """A profile, a time zone and a stretch of active days for each account, drawn alone."""
    rng = _chance(operation, "schedules")
    people = who.copy()
    people["profile"], people["zone"] = rng.integers(0, 3, len(who)), rng.integers(-8, 11, len(who))
    length = (rng.uniform(0.35, 1.0, len(who)) * (last - first)).astype(np.int64)
    people["since"] = first + (rng.random(len(who)) * (last - first - length)).astype(np.int64)
    people["until"] = people["since"] + length
    return np.clip(moments(operation.world, rng, people, sender), first, last)


def _reflect(ts: Array, first: int, last: int) -> Array:
    """Fold what fell outside a window back into it, so that no exchange is lost."""
    width = last - first
    away = np.abs(ts - first) % (2 * width)
    return first + np.where(away > width, 2 * width - away, away)
