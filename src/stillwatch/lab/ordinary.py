"""Ordinary accounts at ordinary work: people who ask, people who program, small applications, one-off scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from stillwatch.lab.chance import Array, choose, heavy_tail
from stillwatch.lab.rhythm import SERVICE, moments
from stillwatch.lab.roster import LANGUAGES, newcomers
from stillwatch.lab.traffic import answer_in_tokens, lengths_as_measured, talk, visits
from stillwatch.lab.world import Group, World

TOOLS: tuple[tuple[str, ...], ...] = (
    ("web_search",),
    ("read_file", "write_file", "run_command", "search_code"),
    ("query_database", "plot"),
    ("calendar_lookup", "send_mail"),
    ("browser_open", "browser_click", "browser_type", "screenshot"),
    ("python",),
    ("lookup_order", "refund_order", "escalate"),
    ("bash", "edit", "grep", "task_done"),
    ("search_docs", "open_ticket"),
)


def people(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """People with questions of their own, in their own language."""
    who = newcomers(world, rng, accounts)
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.4 * world.material.tail)
    return Group(who, natural_talk(world, rng, who, turns=3.2))


def natural_talk(world: World, rng: np.random.Generator, who: Array, turns: float) -> Array:
    """Conversations as people hold them: an opening in the person's language, then follow-ups."""
    plan, place = talk(world, rng, who, turns)
    tongue = who["language"][plan["account"]]
    plan["rule"] = _by_language(world, "chat.")[tongue]
    plan["rule"] = np.where(place > 0, _by_language(world, "followup.")[tongue], plan["rule"])
    lengths_as_measured(world, rng, plan, "conv")
    return plan


def _by_language(world: World, prefix: str) -> Array:
    return np.array([world.rule(prefix + language) for language in LANGUAGES], np.int16)


def programmers(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """People who ask about code, with long pasted context."""
    who = newcomers(world, rng, accounts)
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.5 * world.material.tail)
    plan, place = talk(world, rng, who, 4.0, 110.0)
    plan["rule"] = np.where(place > 0, world.rule("code.follow"), world.rule("code.ask"))
    plan["context"] += rng.lognormal(6.0, 1.2, len(plan)).astype(np.int32)
    answer_in_tokens(rng, plan, 520.0, 0.9)
    lengths_as_measured(world, rng, plan, "code")
    return Group(who, plan)


def applications(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Developers whose service fills one template of their own, all day: rigid, voluminous and innocent."""
    who = newcomers(world, rng, accounts)
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.7 * world.material.tail)
    who["profile"] = SERVICE
    account = np.repeat(np.arange(accounts), np.round(who["volume"]).astype(np.int64))
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"] = world.rule("app.prompt")
    talks = (plan["author"] >> np.uint64(16)) % np.uint64(4) == 0
    plan["rule"][talks] = world.rule("app.chat")
    plan["turns"][talks] = 1 + 2 * rng.geometric(0.5, int(talks.sum()))
    plan["system"] = np.where(plan["author"] % np.uint64(7) < 5, world.rule("app.system"), -1)
    kit = (plan["author"] >> np.uint64(20)) % np.uint64(3 * len(TOOLS))
    plan["tools"] = np.where(kit < len(TOOLS), kit, np.uint64(0)).astype(np.int16) - (kit >= len(TOOLS))
    answer_in_tokens(rng, plan, 180.0, 1.0)
    return Group(who, plan)


def scripts(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """One-off scripts: a person loops over a list once, for an afternoon."""
    who = newcomers(world, rng, accounts)
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.2 * world.material.tail)
    who["until"] = np.minimum(who["until"], who["since"] + (rng.lognormal(1.6, 0.8, accounts) * 3.6e9).astype(np.int64))
    account = np.repeat(np.arange(accounts), np.round(who["volume"]).astype(np.int64))
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"] = world.rule("script.prompt")
    answer_in_tokens(rng, plan, 120.0, 1.0)
    return Group(who, plan)


ORDINARY = ((people, 0.66, 0.40), (programmers, 0.16, 0.22), (applications, 0.12, 0.33), (scripts, 0.06, 0.05))


def ordinary(world: World, accounts: int, exchanges: int) -> Iterator[Callable[[], Group]]:
    """The making of all ordinary accounts, by kind."""
    for make, account_share, exchange_share in ORDINARY:
        rng = world.chance("ordinary", make.__name__)
        size = max(1, round(accounts * account_share)), round(exchanges * exchange_share)
        yield partial(make, world, rng, *size)


def any_language(rng: np.random.Generator, count: int) -> Array:
    """Languages of the end users of a service."""
    return choose(rng, {0: 46, 1: 8, 2: 8, 3: 7, 4: 6, 5: 6, 6: 6, 7: 3, 8: 4, 9: 3, 10: 3}, count).astype(np.int8)
