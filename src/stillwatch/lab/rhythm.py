"""When exchanges happen: days and weeks of people in many time zones, services, schedulers, nightly jobs."""

from __future__ import annotations

from functools import cache

import numpy as np

from stillwatch.lab.chance import Array
from stillwatch.lab.kernels import order_by
from stillwatch.lab.material.rates import WINDOW, Rates, regroup, spread_over
from stillwatch.lab.world import DAY, HOUR, MINUTE, SECOND, World

PAIRS = 256  # rhythms laid out at once: each takes a number a window
OFFICE, EVENING, SERVICE, FLAT = range(4)
_OFFICE = [1, 1, 1, 1, 1, 2, 4, 10, 30, 48, 52, 48, 36, 42, 52, 50, 44, 30, 16, 10, 8, 6, 4, 2]
_EVENING = [12, 7, 4, 2, 1, 1, 2, 5, 8, 10, 12, 14, 16, 16, 15, 16, 18, 22, 26, 32, 38, 40, 34, 22]
_SERVICE = [14, 12, 11, 10, 10, 11, 13, 16, 20, 24, 26, 27, 27, 27, 28, 28, 27, 27, 26, 26, 25, 23, 20, 17]
_DAILY = np.array([_OFFICE, _EVENING, _SERVICE, [1] * 24], float)
_WEEKEND = np.array([0.12, 1.25, 0.9, 1.0])


def _clock(world: World, profile: int, zone: int) -> tuple[Array, Array]:
    """Hours since the start, and how much of the traffic lies before each."""
    hours = np.arange(int(np.ceil(world.span / HOUR)))
    local = hours + zone
    weight = _DAILY[profile][local % 24] * np.where(local // 24 % 7 >= 5, _WEEKEND[profile], 1.0)
    return np.concatenate([hours, [len(hours)]]) * HOUR, np.concatenate([[0.0], np.cumsum(weight / weight.sum())])


def moments(world: World, rng: np.random.Generator, people: Array, account: Array) -> Array:
    """A moment for each draw, by its account's profile and time zone, between its first and last day."""
    draw = rng.random(len(account))
    if world.material.rates is None:
        return _by_hours(world, people, account, draw)
    flat = (people["profile"] == FLAT)[account]
    result = np.empty(len(account), np.int64)
    result[flat] = _by_hours(world, people, account[flat], draw[flat])
    result[~flat] = _by_rates(world, world.material.rates, rng, people, (account[~flat], draw[~flat]))
    return result


def _by_rates(world: World, rates: Rates, rng: np.random.Generator, people: Array, rows: tuple[Array, Array]) -> Array:
    """Moments by the windows of a real client: a service keeps its client's clock, people have it by their own."""
    account, draw = rows
    windows = int(np.ceil(world.span / WINDOW))
    first, last = (np.clip((people[name] - world.start) / WINDOW, 0, windows)[account] for name in ("since", "until"))
    service = people["profile"] == SERVICE
    zone = np.where(service, 0, people["zone"]).astype(np.int64)
    client = rates.client_of(people["salt"])
    pairs, pair = np.unique((client * 4 + people["profile"]) * 100 + zone + 50, return_inverse=True)
    place, variation = np.empty(len(account)), np.empty(len(account))
    order = order_by(pair[account])
    sorted_pair = pair[account][order]
    for begin in range(0, len(pairs), PAIRS):
        some = pairs[begin : begin + PAIRS]
        mine = order[slice(*np.searchsorted(sorted_pair, (begin, begin + PAIRS)))]
        kind, zones = some // 100 % 4, some % 100 - 50
        habits = np.array([_habit(int(k), int(z), windows) for k, z in zip(kind, zones, strict=True)])
        before, uneven = rates.profiles(some // 400, zones, windows, habits)
        row = pair[account[mine]] - begin
        place[mine] = spread_over(before, row, first[mine], last[mine], draw[mine])
        variation[mine] = uneven[row, np.minimum(place[mine].astype(np.int64), windows - 1)]
    return world.start + (regroup(rng, account, place, variation) * WINDOW).astype(np.int64)


@cache
def _habit(profile: int, zone: int, windows: int) -> Array:
    """How much a profile weighs each window, in its local hours; a service takes its client's clock as it is."""
    if profile == SERVICE:
        return np.ones(windows)
    hour = np.arange(windows) // 6 + zone
    return _DAILY[profile][hour % 24] * np.where(hour // 24 % 7 >= 5, _WEEKEND[profile], 1.0)


def _by_hours(world: World, people: Array, account: Array, draw: Array) -> Array:
    result = np.empty(len(account), np.int64)
    habit = people["profile"].astype(np.int64) * 100 + people["zone"] + 50
    of_draw = habit[account]
    for key in np.unique(habit):
        rows = np.flatnonzero(of_draw == key)
        hours, share = _clock(world, int(key) // 100, int(key) % 100 - 50)
        first = np.interp(people["since"][account[rows]] - world.start, hours, share)
        last = np.interp(people["until"][account[rows]] - world.start, hours, share)
        result[rows] = np.interp(first + draw[rows] * np.maximum(last - first, 1e-6), share, hours)
    return world.start + result


def sessions(rng: np.random.Generator, volume: Array, turns: float) -> tuple[Array, Array, Array]:
    """Conversations: for each exchange its account, its conversation, and its place in it."""
    count = np.maximum(1, np.round(volume / turns)).astype(np.int64)
    account = np.repeat(np.arange(len(volume)), count)
    wanted = (volume / count)[account]
    size = rng.geometric(1.0 / np.maximum(wanted, 1.0))
    conversation = np.repeat(np.arange(len(account)), size)
    place = np.arange(len(conversation)) - np.repeat(np.cumsum(size) - size, size)
    return account[conversation], conversation, place


def pauses(rng: np.random.Generator, place: Array, median: float = 75.0) -> Array:
    """Time since the conversation began, for each of its exchanges; people read before they answer."""
    gap = rng.lognormal(np.log(median), 0.9, len(place)) * SECOND * (place > 0)
    total = np.cumsum(gap)
    begins = np.flatnonzero(place == 0)
    return (total - np.repeat(total[begins], np.diff([*begins, len(place)]))).astype(np.int64)


def nightly(world: World, rng: np.random.Generator, rows: int, hour: int, lasts: int) -> Array:
    """A job that starts at one hour of each night and runs for `lasts`."""
    days = rng.integers(0, max(1, world.span // DAY), rows)
    return world.start + days * DAY + hour * HOUR + (rng.random(rows) * lasts).astype(np.int64)


def window(rng: np.random.Generator, rows: int, first: int, last: int) -> Array:
    """Evenly within a window: a backfill, a burst."""
    return first + (rng.random(rows) * (last - first)).astype(np.int64)


def job_ticks(
    world: World, rng: np.random.Generator, rows: int, jobs: int, first: int, last: int
) -> tuple[Array, Array]:
    """Jobs that a scheduler starts at odd moments and works off within the hour; also the job of each exchange."""
    starts = np.sort(window(rng, jobs, first, max(first + HOUR, last - HOUR)))
    job = np.sort(rng.integers(0, jobs, rows))
    within = rng.random(rows) * rng.uniform(12, 55, jobs)[job] * MINUTE
    return np.minimum(starts[job] + within.astype(np.int64), world.end - SECOND), job
