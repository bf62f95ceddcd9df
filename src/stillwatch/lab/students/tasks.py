"""Arithmetic tasks with step-by-step traces, as a reasoning model writes them: what a harvest is made of here."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

MODULUS = 97
OPERATIONS = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}
OPENINGS = ("Okay, so I need to work this out.", "Let me think about this step by step.", "Alright, let me start.")
TALK = ("Wait, let me check.", "Hmm.", "Okay, so let me go on.", "Is that right?", "This looks right.")
TALKS = 0.4  # share of steps before which it talks to itself


@dataclass(frozen=True, slots=True)
class Task:
    """A number, and what is done to it, modulo 97: `steps` are an operation and its operand."""

    start: int
    steps: tuple[tuple[str, int], ...]

    @property
    def values(self) -> list[int]:
        """Return the value after each step."""
        found, value = [], self.start
        for operation, operand in self.steps:
            value = OPERATIONS[operation](value, operand) % MODULUS
            found.append(value)
        return found

    @property
    def answer(self) -> int:
        """Return the value after the last step."""
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a student is given: a task, the reasoning as it was served, and the answer."""

    task: Task
    trace: str
    answer: int


def draw_tasks(count: int, lengths: Sequence[int], seed: int) -> list[Task]:
    """Return so many tasks, with as many steps as one of `lengths`."""
    chance = random.Random(seed)
    return [
        Task(
            chance.randrange(MODULUS),
            tuple((chance.choice("+-*"), chance.randrange(2, 10)) for _ in range(chance.choice(lengths))),
        )
        for _ in range(count)
    ]


def write_trace(task: Task, chance: random.Random) -> str:
    """Return the reasoning that a teacher writes: an opening, self-talk, a sentence for each step, a conclusion."""
    said, value = [chance.choice(OPENINGS)], task.start
    for (operation, operand), after in zip(task.steps, task.values, strict=True):
        if chance.random() < TALKS:
            said.append(chance.choice(TALK))
        said.append(f"{value} {operation} {operand} = {after}.")
        value = after
    return " ".join([*said, f"Therefore the answer is {task.answer}."])
