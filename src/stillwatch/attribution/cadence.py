"""When a campaign works, rests and hurries, compared with an actor's calendar and with everybody's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from itertools import pairwise
from math import log2

import numpy as np
import numpy.typing as npt

from stillwatch.attribution.actors import Trait
from stillwatch.attribution.scene import Found, Scene, Setting, day_of

Floats = npt.NDArray[np.float64]
DAYS = 10  # independent looks at a clock, at most: exchanges of one day are not independent of each other
BLUR = 0.02  # of a clock's hours, so that no hour is impossible
SILENT = 0.1  # of the usual exchanges of a day: below it the day is silent
BUSY = 0.5  # of everybody's usual exchanges: below it a silence says nothing
LAUNCHED = 0.5  # of the exchanges, near a launch, for it to be about the launch


def hours(trait: Trait, scene: Scene, setting: Setting) -> Found:
    """Compare the campaign's hours of the day with the actor's and with everybody's."""
    everyone = (setting.population.clock.sum(axis=0) - scene.clock).astype(np.float64)
    because = "its hours of the day are the actor's rather than everybody's"
    return _clocks(
        np.array(trait.values, np.float64), scene.clock.astype(np.float64), everyone, len(scene.daily), because
    )


def weekdays(trait: Trait, scene: Scene, setting: Setting) -> Found:
    """Compare the campaign's days of the week with the actor's and with everybody's."""
    mine, everyone = np.zeros(7), np.zeros(7)
    for day, exchanges in scene.daily.items():
        mine[day.weekday()] += exchanges
    for (_, number), exchanges in setting.population.model_days.items():
        everyone[day_of(number).weekday()] += exchanges
    said = np.array([float(day + 1 in trait.values) for day in range(7)])
    because = "its days of the week are the actor's rather than everybody's"
    return _clocks(said, mine, everyone - mine, len(scene.daily) / 7, because)


def _clocks(said: Floats, mine: Floats, everyone: Floats, looks: float, because: str) -> Found:
    """Compare the actor's clock with what explains it without the actor: everybody's, or a machine that never rests."""
    if not mine.sum() or everyone.sum() <= 0 or looks < 1:
        return None
    actor, others, machine = (_blurred(clock) for clock in (said, everyone, np.ones(len(said))))
    gain = min(float((mine / mine.sum() * np.log2(actor / other)).sum()) for other in (others, machine))
    if gain <= 0:
        return 0.0, because.replace("are the actor's rather than everybody's", "are not nearer to the actor's")
    return min(looks, DAYS) * gain, because


def _blurred(clock: Floats) -> Floats:
    parts = np.maximum(clock, 0) / max(float(np.maximum(clock, 0).sum()), 1.0)
    return (parts + BLUR) / (parts + BLUR).sum()


def silence(trait: Trait, scene: Scene, setting: Setting) -> Found:
    """Compare silence on the actor's days off with how often the campaign is silent anyway."""
    daily, everyone = scene.daily, _everyone(setting)
    if not daily:
        return None
    first, last = min(daily), max(daily)
    span = [first + dt.timedelta(days=at) for at in range((last - first).days + 1)]
    usual = float(np.median([daily[day] for day in sorted(daily)]))
    busy = BUSY * float(np.median(list(everyone.values())))
    silent = {day for day in span if daily.get(day, 0) < SILENT * usual and everyone.get(day, 0) >= busy}
    off = {day for day in span if day in trait.values and everyone.get(day, 0) >= busy}
    if not off:
        return None
    rest = [day for day in span if day not in off]
    idle = sum(day in silent for day in rest)
    chance = (idle + 0.5) / (len(rest) + 1)
    kept = len(off & silent)
    because = f"silent on {kept} of {len(off)} days off of the actor, and on {idle} of {len(rest)} other days"
    return kept * log2(1 / chance) - (len(off) - kept) * 2.0, because


def launch(trait: Trait, scene: Scene, setting: Setting) -> Found:
    """Compare what gathers around the actor's launches, or a move to another model then, with how long that is."""
    first, last = setting.days
    span = [first + dt.timedelta(days=at) for at in range((last - first).days + 1)]
    near = {day for day in span if _near(day, trait.values, trait.within_days)}
    daily = scene.daily
    if not near or not daily:
        return None
    share = sum(count for day, count in daily.items() if day in near) / sum(daily.values())
    where = f"within {trait.within_days} days of a launch, as {len(near)} of {len(span)} days of the log are"
    moved = _move(scene)
    if moved in near and share < LAUNCHED:
        return log2(len(span) / len(near)), f"it moved to another model {where}"
    because = f"{share:.0%} of its exchanges are {where}"
    return (log2(share / (len(near) / len(span))) if share >= LAUNCHED else 0.0), because


def _move(scene: Scene) -> dt.date | None:
    """Return the day on which the campaign moved to another model for good; None unless it did so once."""
    by_day: dict[int, dict[str, int]] = {}
    for (model, number), exchanges in scene.models.items():
        day = by_day.setdefault(number, {})
        day[model] = day.get(model, 0) + exchanges
    leaders = [(number, max(sorted(own), key=lambda model: own[model])) for number, own in sorted(by_day.items())]
    moves = [later for (_, before), (later, after) in pairwise(leaders) if before != after]
    return day_of(moves[0]) if len(moves) == 1 else None


def _near(day: dt.date, launches: Iterable[dt.date], within: int) -> bool:
    return any(abs((day - launch).days) <= within for launch in launches)


def _everyone(setting: Setting) -> dict[dt.date, int]:
    days: dict[dt.date, int] = {}
    for (_, number), exchanges in setting.population.model_days.items():
        days[day_of(number)] = days.get(day_of(number), 0) + exchanges
    return days
