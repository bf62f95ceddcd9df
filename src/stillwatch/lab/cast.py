"""The cast: every look-alike class, how large a part of the population it is, and how much it sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from stillwatch.lab import companies, crowds, events, singles
from stillwatch.lab.world import Group, World

Maker = Callable[[World, np.random.Generator, int, int], Group]


@dataclass(frozen=True, slots=True)
class Part:
    """A look-alike class. `accounts` below one is a share of all accounts; from one on, a number for each copy."""

    name: str
    make: Maker
    accounts: float
    exchanges: float  # share of all exchanges
    copies: int = 1  # how many separate organisations
    most: int = 5_000
    splits: tuple[str, ...] = ("tuning", "report")  # rosters differ, so that a class can be met for the first time


CAST = (
    Part("agent-tool", crowds.agent_tool, 0.09, 0.085),
    Part("template-tool", crowds.template_tool, 0.028, 0.03),
    Part("benchmark-harness", crowds.harness, 0.013, 0.03, most=300),
    Part("campus", crowds.campus, 0.04, 0.012, most=2_000),
    Part("hackathon", crowds.hackathon, 0.01, 0.006, most=400),
    Part("vpn", crowds.vpn, 0.02, 0.015),
    Part("new-model-chaser", crowds.chasers, 0.01, 0.008),
    Part("nightly-evaluation", companies.nightly_evaluation, 3, 0.008),
    Part("rag-application", companies.retrieval, 4, 0.028, copies=3),
    Part("batch-job", companies.batch, 2, 0.02, copies=2),
    Part("reseller", companies.reseller, 2, 0.018),
    Part("gateway", companies.gateway, 4, 0.014),
    Part("company", companies.company, 40, 0.014),
    Part("team-key", companies.team_key, 4, 0.008),
    Part("licensed", companies.licensed, 5, 0.012),
    Part("agency", companies.agency, 15, 0.004),
    Part("framed", companies.framed, 6, 0.012),
    Part("judge", singles.judges, 0.009, 0.01),
    Part("audit-trail", singles.auditors, 0.005, 0.006),
    Part("ci-review", singles.reviewers, 0.005, 0.008),
    Part("moved-conversation", singles.movers, 8, 0.001),
    Part("worksheet", events.worksheet, 0.01, 0.008, most=400),
    Part("remote-class", events.remote_class, 0.01, 0.006, most=400, splits=("tuning",)),
    Part("kit-in-a-hall", events.kit_in_a_hall, 0.01, 0.006, most=400, splits=("report",)),
    Part("workshop", events.workshop, 0.01, 0.006, most=300, splits=("report",)),
    Part("starter-kit", events.starter_kit, 0.012, 0.008, most=900),
    Part("own-key-tool", events.own_key_tool, 0.008, 0.008, most=200),
    Part("small-firm", events.small_firm, 15, 0.006, copies=2),
)


def lookalikes(world: World, accounts: int, exchanges: int) -> Iterator[Callable[[], Group]]:
    """The making of every look-alike, sized for a population; its accounts carry the number of their class."""
    for number, part in enumerate(CAST):
        if world.split not in part.splits:
            continue
        count = min(part.most, max(2, round(part.accounts * accounts))) if part.accounts < 1 else int(part.accounts)
        sent = max(count, round(exchanges * part.exchanges / part.copies))
        for copy in range(part.copies):
            yield partial(_make, world, number, copy, (count, sent))


def _make(world: World, number: int, copy: int, size: tuple[int, int]) -> Group:
    part = CAST[number]
    group = part.make(world, world.chance("look-alike", part.name, str(copy)), *size)
    group.accounts["lookalike"] = number
    return group
