"""One audit: the plan, the calls, and what they show."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from stillwatch.apps.integrity.endpoints import Endpoint, Question, asking
from stillwatch.apps.integrity.local_ranks import LocalRanks
from stillwatch.apps.integrity.recording import (
    LEAST_ANSWERED,
    LOGPROB_ANSWERS,
    border_answers,
    border_inputs,
    first_token,
)
from stillwatch.apps.integrity.reference_file import ANSWER, COOLER, Reference
from stillwatch.integrity.audit.answers import Answer
from stillwatch.integrity.audit.border import border_test
from stillwatch.integrity.audit.hearing import Hearing, Yardstick, adjusted, log_threshold, open_hearing, yardstick
from stillwatch.integrity.audit.logprobs import logprob_test
from stillwatch.integrity.audit.permutation import Outcome
from stillwatch.integrity.audit.plan import SHIFTS, Power, power_against, power_at_shift
from stillwatch.model import InputRefused

BORDER_CALLS = 6  # to each border input
Ask = Callable[[Question], Awaitable[Answer | None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an audit may ask, in calls of the endpoint, and what it could see with the answers."""

    calls: int
    border_calls: int
    logprob_calls: int
    level: float
    power: tuple[Power, ...]

    @property
    def most_calls(self) -> int:
        """The budget: no call is made past it, but for repeats of one that failed."""
        return self.calls + self.border_calls + self.logprob_calls


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit showed. `tests` is empty when it stopped as soon as it was sure: p-values need the whole budget."""

    plan: Plan
    asked: int
    answered: int
    log10_e: float  # now
    anytime_p: float
    tests: tuple[Outcome, ...]
    adjusted: tuple[float, ...]  # the tests' p-values, corrected for their number
    stopped_early: bool

    @property
    def differs(self) -> bool:
        """Whether it is not the reference's model, or not served alike."""
        return self.anytime_p <= self.plan.level or any(p <= self.plan.level for p in self.adjusted)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        tests = [{**asdict(t), "p_adjusted": p} for t, p in zip(self.tests, self.adjusted, strict=True)]
        return {
            "verdict": "differs" if self.differs else "no-difference-found",
            "asked": self.asked,
            "answered": self.answered,
            "stopped_early": self.stopped_early,
            "log10_e": self.log10_e,
            "anytime_p": self.anytime_p,
            "tests": tests,
            "level": self.plan.level,
            "false_alarm_bound": self.plan.level * (1 if self.stopped_early else 2),
            "plan": {**asdict(self.plan), "most_calls": self.plan.most_calls},
        }


async def learn_locally(local: LocalRanks, reference: Reference) -> None:
    """Ask a local copy of the model for the ranks of all that the reference said."""
    said = [reference.texts(kind).items() for kind in (ANSWER, COOLER)]
    await local.learn((prompt, text) for found in said for prompt, texts in found for text in texts)


def make_yardstick(reference: Reference, local: LocalRanks | None = None) -> Yardstick:
    """Return what answers are measured by: `local`, once it has learned, else phrases of the reference's answers.

    Raises InputRefused when the reference answered too little.
    """
    plain = {prompt.id for prompt in reference.asked.prompts if not prompt.tools}
    try:
        return yardstick(
            {each: texts for each, texts in reference.texts(ANSWER).items() if each in plain},
            local.score if local else None,
        )
    except ValueError as error:
        raise InputRefused(f"the reference cannot be used: {error}") from None


def make_plan(reference: Reference, by: Yardstick, calls: int, level: float, seed: int) -> Plan:
    """Say the budget and the power; asks nobody."""
    cooler = reference.texts(COOLER)
    powers = [power_at_shift(by, shift, calls, level, seed) for shift in SHIFTS]
    if cooler:
        lowered = power_against(by, cooler, calls, level, seed)
        powers.insert(0, replace(lowered, alternative="the reference at 0.9 of its temperature"))
    logprobs = sum(bool(told) for told in reference.logprobs().values()) * LOGPROB_ANSWERS
    return Plan(calls, len(border_inputs(reference)) * BORDER_CALLS, logprobs, level, tuple(powers))


@dataclass(frozen=True, slots=True)
class Way:
    """How to audit. `whole`: go on when it is already sure, for the exact p-values; `local`: ranks by a local copy."""

    whole: bool = False
    seed: int = 0
    local: LocalRanks | None = None


async def audit(endpoint: Endpoint, reference: Reference, plan: Plan, way: Way) -> Audit:
    """Ask the endpoint within the plan's budget.

    Raises InputRefused when fewer than half of the questions were answered.
    """
    hearing = open_hearing(make_yardstick(reference, way.local), way.seed)
    async with asking(endpoint) as ask:
        asked, answered = await _hear(ask, hearing, reference, plan, way)
        if answered < LEAST_ANSWERED * asked:
            raise InputRefused(f"{endpoint.address}: answered {answered} of {asked} questions; nothing was concluded")
        sure = _sure(hearing, plan.level)
        tests: list[Outcome] = []
        if way.whole or not sure:
            tests = hearing.outcomes()
            more, n, m = await _first_tokens(ask, reference, plan, hearing.chance)
            tests, asked, answered = [*tests, *more], asked + n, answered + m
    return Audit(
        plan, asked, answered, hearing.log_e / math.log(10.0), math.exp(-hearing.peak), tuple(tests),
        tuple(adjusted(tests)), not tests,
    )  # fmt: skip


async def _hear(ask: Ask, hearing: Hearing, reference: Reference, plan: Plan, way: Way) -> tuple[int, int]:
    """Ask prompts in random order, a few at a time, until the budget is used or enough is known."""
    texts = {prompt.id: prompt.text for prompt in reference.asked.prompts if prompt.id in hearing.by.ranked}
    rounds = -(-plan.calls // len(texts))
    names = list(texts)
    order = [names[place] for _ in range(rounds) for place in hearing.chance.permutation(len(names))][: plan.calls]
    asked = answered = 0
    for start in range(0, len(order), 4):
        batch = order[start : start + 4]
        drawn = reference.asked.temperature, reference.asked.max_tokens
        answers = await asyncio.gather(*(ask(Question(texts[each], *drawn)) for each in batch))
        asked += len(batch)
        heard = [(prompt, answer.text) for prompt, answer in zip(batch, answers, strict=True) if answer is not None]
        if way.local is not None:
            await way.local.learn(heard)
        for prompt, text in heard:
            hearing.hear(prompt, text)
        answered += len(heard)
        if not way.whole and _sure(hearing, plan.level):
            break
    return asked, answered


def _sure(hearing: Hearing, level: float) -> bool:
    return hearing.peak >= log_threshold(level)


async def _first_tokens(
    ask: Ask, reference: Reference, plan: Plan, chance: np.random.Generator
) -> tuple[list[Outcome], int, int]:
    """The tests that need one token an answer, where the reference has what they need."""
    tests: list[Outcome] = []
    borders = {each: first_token(each) for each in border_inputs(reference)}
    said = await _repeat(ask, borders, BORDER_CALLS)
    if any(said.values()):
        texts = {prompt: [each.text for each in found] for prompt, found in said.items()}
        tests.append(border_test(border_answers(reference), texts, chance))
    told = {prompt: found for prompt, found in reference.logprobs().items() if found}
    by_id = {prompt.id: prompt.text for prompt in reference.asked.prompts}
    logged = await _repeat(ask, {each: first_token(by_id[each], True) for each in told}, LOGPROB_ANSWERS)
    numbers = {prompt: [each.logprobs for each in found if each.logprobs] for prompt, found in logged.items()}
    if any(numbers.values()):
        tests.append(logprob_test(told, numbers, chance))
    heard = sum(len(found) for each in (said, logged) for found in each.values())
    return tests, plan.border_calls + plan.logprob_calls, heard


async def _repeat(ask: Ask, questions: dict[str, Question], times: int) -> dict[str, list[Answer]]:
    names = [name for name in questions for _ in range(times)]
    answers = await asyncio.gather(*(ask(questions[name]) for name in names))
    said: dict[str, list[Answer]] = {name: [] for name in questions}
    for name, answer in zip(names, answers, strict=True):
        if answer is not None:
            said[name].append(answer)
    return said
