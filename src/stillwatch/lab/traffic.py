"""From moments to planned exchanges: route, stack, model, tokens and status follow from the account's habits."""

from __future__ import annotations

import numba
import numpy as np

from stillwatch.lab.chance import Array, mix, seeds, stir
from stillwatch.lab.networks import addresses
from stillwatch.lab.rhythm import moments, pauses, sessions
from stillwatch.lab.world import EXCHANGE, NEW, SECOND, World

NO_RULE = -1
OWN_WORDS = 40  # tokens of what is read that are the prompt, about; the rest was there before


def visits(rng: np.random.Generator, people: Array, account: Array, ts: Array) -> Array:
    """Exchanges of the given accounts at the given moments, with all that follows from who they are."""
    count = len(account)
    plan = np.zeros(count, EXCHANGE)
    account = np.asarray(account).astype(np.int64, copy=False)
    items, second = seeds(rng, count), rng.random(count)
    keys, moved = rng.integers(0, 1 << 15, count), rng.random(count)
    streams, statuses = rng.random(count), rng.random(count)
    other = second < people["share2"][account]
    ts = np.maximum(ts, people["created"][account] + SECOND)
    ip, net = addresses(people, account, ts, other)
    habits = tuple(np.ascontiguousarray(people[name]) for name in _HABITS)
    _fill(plan, account, ts, (items, other, keys, moved, streams, statuses), (ip, net), habits)
    answer_in_tokens(rng, plan, 330.0, 1.0)
    return plan


_HABITS = ("author", "stack", "stack2", "keys", "adopts", "model", "channel", "temperature")


@numba.njit(cache=True, nogil=True)
def _fill(plan, account, ts, draws, route, habits):  # type: ignore[no-untyped-def]
    """Every column that follows from an account's habits and the draws, row by row: records are wide."""
    items, other, keys, moved, streams, statuses = draws
    ip, net = route
    author, stack, stack2, own_keys, adopts, model, channel, temperature = habits
    limits = (1024, 4096, 2048, 8192, 4096)
    for row in range(len(account)):
        who, at = account[row], plan[row]
        wording = author[who]
        at.ts, at.account, at.item, at.author = ts[row], who, items[row], wording
        at.rule, at.system, at.tools, at.campaign, at.turns, at.n = 0, NO_RULE, NO_RULE, NO_RULE, 1, 1
        at.ip, at.net = ip[row], net[row]
        at.stack = stack2[who] if other[row] else stack[who]
        at.key = keys[row] % own_keys[who]
        at.model = NEW if ts[row] > adopts[who] and moved[row] < 0.85 else model[who]
        at.channel, at.temperature = channel[who], temperature[who]
        at.endpoint = 1 if wording % np.uint64(5) == 0 else 0
        at.stream = streams[row] < (0.95 if wording % np.uint64(3) == 0 else 0.1)
        at.limit = limits[np.int64((wording >> np.uint64(8)) % np.uint64(5))]
        at.status = _status(statuses[row])


@numba.njit(inline="always")
def _status(draw):  # type: ignore[no-untyped-def]
    if draw >= 0.016:
        return 200
    if draw < 0.009:
        return 429
    if draw < 0.012:
        return 500
    return 403 if draw < 0.0135 else 400


def answer_in_tokens(rng: np.random.Generator, plan: Array, median: float, sigma: float) -> None:
    """Draw answer lengths; a limit cuts them, a failure leaves none."""
    wanted = rng.lognormal(np.log(median), sigma, len(plan)).astype(np.int64) + 1
    plan["output"] = np.where(plan["status"] == 200, np.minimum(wanted, plan["limit"]), 0)


def lengths_as_measured(world: World, rng: np.random.Generator, plan: Array, kind: str) -> None:
    """Where real lengths are at hand: tokens read and generated as in one trace, `conv` or `code`."""
    if world.material.lengths is None:
        return
    read, generated = world.material.lengths[kind].draw(rng, len(plan))
    plan["context"] = np.maximum(read - OWN_WORDS, 0)
    plan["output"] = np.where(plan["status"] == 200, np.minimum(generated, plan["limit"]), 0)


def talk(
    world: World, rng: np.random.Generator, people: Array, turns: float, median_pause: float = 75.0
) -> tuple[Array, Array]:
    """Conversations of people by their volume: the exchanges, and each one's place in its conversation."""
    account, conversation, place = sessions(rng, people["volume"], turns)
    opened = moments(world, rng, people, account[place == 0])
    plan = visits(rng, people, account, opened[conversation] + pauses(rng, place, median_pause))
    plan["turns"] = 1 + 2 * place
    plan["context"] = np.where(place > 0, place * rng.lognormal(6.2, 0.6, len(plan)), 0).astype(np.int32)
    _regenerate(rng, plan, place)
    _carry_reasoning(rng, people, plan, conversation, place)
    return plan, place


def _regenerate(rng: np.random.Generator, plan: Array, place: Array) -> None:
    """People press the button again: the same words as just before."""
    again = np.flatnonzero((rng.random(len(plan)) < 0.03) & (place > 0))
    plan["item"][again] = plan["item"][again - 1]


def _carry_reasoning(rng: np.random.Generator, people: Array, plan: Array, conversation: Array, place: Array) -> None:
    """Reasoning handles are minted in an answer and come back with the next turn of the same conversation."""
    thinking = mix(conversation.astype(np.uint64) ^ people["salt"][plan["account"]])
    thinks = (thinking >> np.uint64(40)) / 2.0**24 < people["thinks"][plan["account"]]
    mint(rng, plan, thinks)
    later = np.flatnonzero((place > 0) & thinks)
    plan["submitted"][later] = plan["minted"][later - 1]


def mint(rng: np.random.Generator, plan: Array, rows: Array) -> None:
    """Handles of hidden reasoning in the answers of these exchanges."""
    handles = stir(seeds(rng, len(plan)), np.arange(len(plan)))
    plan["minted"] = np.where(rows & (plan["status"] == 200), handles, 0)
