"""Asking a reference: many answers to each prompt, some cooler ones, and border inputs if there are any."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from stillwatch.apps.integrity.endpoints import Endpoint, Question, asking
from stillwatch.apps.integrity.reference_file import ANSWER, COOLER, FIRST, LOGPROB, Asked, Reference
from stillwatch.integrity.audit.answers import Answer
from stillwatch.integrity.audit.border import candidates, is_border
from stillwatch.model import InputRefused

COOLER_BY = 0.9  # the alternative that any endpoint can play: its own temperature, lowered
COOLER_ANSWERS = 2  # to each prompt; they give the power against it
LOGPROB_PROMPTS, LOGPROB_ANSWERS = 8, 6
BORDER_LOOKS, BORDER_ANSWERS = 3, 12  # calls to see whether an input is one; answers that are kept of one that is
MOST_BORDERS = 12
LEAST_ANSWERED = 0.5  # share of the questions below which nothing is concluded
Ask = Callable[[Question], Awaitable[Answer | None]]
Item = tuple[str, str, Question]  # kind, prompt's id, question


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to record."""

    answers: int = 20
    border_inputs: int = 0  # candidates to look at
    logprobs: bool = False
    cooler: int = COOLER_ANSWERS


def calls_to_record(asked: Asked, wanted: Wanted) -> int:
    """Return how many calls a recording makes at most."""
    prompts = len(asked.prompts)
    borders = wanted.border_inputs * BORDER_LOOKS + min(wanted.border_inputs, MOST_BORDERS) * BORDER_ANSWERS
    logprobs = min(prompts, LOGPROB_PROMPTS) * LOGPROB_ANSWERS if wanted.logprobs else 0
    return prompts * (wanted.answers + wanted.cooler) + borders + logprobs


async def record(endpoint: Endpoint, reference: Reference, wanted: Wanted, at_once: int = 4) -> None:
    """Ask what is still missing, round by round, so that a recording that was broken off is even.

    Raises InputRefused when fewer than half of the questions were answered.
    """
    async with asking(endpoint, at_once) as ask:
        items = _items(reference.asked, wanted)
        missing = [item for turn, item in items if reference.count(item[0], item[1]) <= turn]
        answered = await ask_all(ask, missing, reference)
        if answered < LEAST_ANSWERED * len(missing):
            raise InputRefused(f"{endpoint.address}: answered {answered} of {len(missing)} questions; try again later")
        if wanted.border_inputs and not border_inputs(reference):
            await _look_for_borders(ask, reference, wanted.border_inputs)


async def ask_all(ask: Ask, items: Sequence[Item], reference: Reference) -> int:
    """Ask questions, keep the answers, and return how many there were."""

    async def one(kind: str, prompt: str, question: Question) -> bool:
        answer = await ask(question)
        if answer is not None:
            reference.add(kind, prompt, answer)
        return answer is not None

    return sum(await asyncio.gather(*(one(*item) for item in items)))


def border_inputs(reference: Reference) -> list[str]:
    """Return the inputs that the reference began to answer in two ways, and was asked again."""
    return list(border_answers(reference))


def border_answers(reference: Reference) -> dict[str, list[str]]:
    """Return first tokens by border input, without the looks that chose it.

    An input is chosen because its looks differ, so they are no fair draw of what the reference says there.
    """
    first = reference.texts(FIRST)
    return {each: said[BORDER_LOOKS:] for each, said in first.items() if len(said) > BORDER_LOOKS}


def first_token(prompt: str, logprobs: bool = False) -> Question:
    """Return the question for one token; at temperature 0 unless for log-probabilities."""
    return Question(prompt, 1.0 if logprobs else 0.0, 1, logprobs=logprobs)


def _items(asked: Asked, wanted: Wanted) -> list[tuple[int, Item]]:
    def item(kind: str, prompt: str, temperature: float) -> Item:
        return kind, prompt, Question(texts[prompt], temperature, asked.max_tokens, tools[prompt])

    texts = {prompt.id: prompt.text for prompt in asked.prompts}
    tools = {prompt.id: prompt.tools for prompt in asked.prompts}
    items = [(turn, item(ANSWER, each, asked.temperature)) for turn in range(wanted.answers) for each in texts]
    cooler = COOLER_BY * asked.temperature
    items += [(turn, item(COOLER, each, cooler)) for turn in range(wanted.cooler) for each in texts]
    if wanted.logprobs:
        few = list(texts)[:LOGPROB_PROMPTS]
        items += [
            (turn, (LOGPROB, each, first_token(texts[each], True))) for turn in range(LOGPROB_ANSWERS) for each in few
        ]
    return items


async def _look_for_borders(ask: Ask, reference: Reference, count: int) -> None:
    looked = [(FIRST, each, first_token(each)) for each in candidates(count) for _ in range(BORDER_LOOKS)]
    await ask_all(ask, looked, reference)
    found = [each for each, said in reference.texts(FIRST).items() if is_border(said)][:MOST_BORDERS]
    more = [(FIRST, each, first_token(each)) for each in found for _ in range(BORDER_ANSWERS)]
    await ask_all(ask, more, reference)
