"""From moments to planned exchanges: route, stack, model, tokens and status follow from the account's habits."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, mix, seeds, stir
from stillwatch.lab.networks import addresses
from stillwatch.lab.rhythm import moments, pauses, sessions
from stillwatch.lab.world import EXCHANGE, NEW, SECOND, World

NO_RULE = -1


def visits(rng: np.random.Generator, people: Array, account: Array, ts: Array) -> Array:
    """Exchanges of the given accounts at the given moments, with all that follows from who they are."""
    plan = np.zeros(len(account), EXCHANGE)
    who = people[account]
    count = len(plan)
    plan["ts"], plan["account"] = np.maximum(ts, who["created"] + SECOND), account
    plan["item"], plan["author"] = seeds(rng, count), who["author"]
    plan["system"] = plan["tools"] = plan["campaign"] = NO_RULE
    plan["turns"], plan["n"] = 1, 1
    second = rng.random(count) < who["share2"]
    plan["ip"], plan["net"] = addresses(people, account, plan["ts"], second)
    plan["stack"] = np.where(second, who["stack2"], who["stack"])
    plan["key"] = rng.integers(0, 1 << 15, count) % who["keys"]
    moved = plan["ts"] > who["adopts"]
    plan["model"] = np.where(moved & (rng.random(count) < 0.85), NEW, who["model"])
    plan["channel"] = who["channel"]
    plan["endpoint"] = np.where(who["author"] % np.uint64(5) == 0, 1, 0)
    plan["temperature"] = who["temperature"]
    plan["stream"] = rng.random(count) < np.where(who["author"] % np.uint64(3) == 0, 0.95, 0.1)
    plan["limit"] = np.array([1024, 4096, 2048, 8192, 4096])[(who["author"] >> np.uint64(8)) % np.uint64(5)]
    plan["status"] = _statuses(rng, count)
    answer_in_tokens(rng, plan, 330.0, 1.0)
    return plan


def _statuses(rng: np.random.Generator, count: int) -> Array:
    draw = rng.random(count)
    return np.select([draw < 0.009, draw < 0.012, draw < 0.0135, draw < 0.016], [429, 500, 403, 400], 200)


def answer_in_tokens(rng: np.random.Generator, plan: Array, median: float, sigma: float) -> None:
    """Draw answer lengths; a limit cuts them, a failure leaves none."""
    wanted = rng.lognormal(np.log(median), sigma, len(plan)).astype(np.int64) + 1
    plan["output"] = np.where(plan["status"] == 200, np.minimum(wanted, plan["limit"]), 0)


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
