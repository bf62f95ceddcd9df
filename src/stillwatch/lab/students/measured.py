"""What countermeasures take from students: those that learn what is served, and those whose operator knows of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from stillwatch.apps.gateway.apis.rewriters import RULES
from stillwatch.lab.students.adapting import conclusion_last, steps_worked_out
from stillwatch.lab.students.student import Student, accuracy
from stillwatch.lab.students.tasks import Lesson, draw_tasks, write_trace

SERVED: dict[str, Callable[[str], str]] = {
    "raw": lambda trace: trace,
    "reformulate-reasoning": RULES["reformulated"],
    "summarise-reasoning": RULES["summary"],
    "drop-reasoning": lambda trace: trace[:0],
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Shares of held-out tasks that students solve, by seed; and how many lessons an adaptive operator keeps."""

    served: str
    passive: Sequence[float]
    adaptive: Sequence[float]
    kept: Sequence[int]


def measure(seeds: Sequence[int], size: int, held: int) -> Iterator[Measured]:
    """Let students learn from `size` traces under each countermeasure, and solve `held` tasks of 2 to 6 steps."""
    for served, serve in SERVED.items():
        passive, adaptive, kept = [], [], []
        for seed in seeds:
            chance, tests = random.Random(seed), draw_tasks(held, (2, 3, 4, 5, 6), seed + 1_000)
            tasks = draw_tasks(size, (1, 2, 3, 4, 5), seed)
            lessons = [Lesson(each, serve(write_trace(each, chance)), each.answer) for each in tasks]
            better = adapted(served, lessons)
            passive.append(accuracy(Student().learn(lessons), tests))
            adaptive.append(accuracy(Student().learn(better), tests))
            kept.append(len(better))
        yield Measured(served, passive, adaptive, kept)


def adapted(served: str, lessons: Sequence[Lesson]) -> list[Lesson]:
    """Return what an operator that knows the countermeasure learns from."""
    if served == "raw":
        return list(lessons)
    return conclusion_last(lessons) if served == "reformulate-reasoning" else steps_worked_out(lessons)
