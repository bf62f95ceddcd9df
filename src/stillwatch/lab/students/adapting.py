"""What an operator does about a countermeasure that it knows of, before its student learns.

Served conclusion first, it puts the conclusion last again. Served no steps, it works out what single steps must have
come to, from tasks of which all but the last step is known, and writes the traces itself where they lead to the answer.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

from stillwatch.apps.gateway.apis.sentences import conclusion_of, sentences_in
from stillwatch.lab.students.tasks import Lesson

Steps = dict[tuple[int, str, int], int]  # what a value comes to by an operation and an operand


def conclusion_last(lessons: Iterable[Lesson]) -> list[Lesson]:
    """Return lessons whose traces end with what they conclude."""
    return [replace(each, trace=_reordered(each.trace)) for each in lessons]


def steps_worked_out(lessons: Sequence[Lesson]) -> list[Lesson]:
    """Return lessons with traces that their answers bear out; those that cannot be worked out are left out."""
    known = _known_steps(lessons)
    found = []
    for lesson in lessons:
        said, value = [], lesson.task.start
        for operation, operand in lesson.task.steps:
            after = known.get((value, operation, operand))
            if after is None:
                break
            said.append(f"{value} {operation} {operand} = {after}.")
            value = after
        if len(said) == len(lesson.task.steps) and value == lesson.answer:
            found.append(replace(lesson, trace=" ".join([*said, f"Therefore the answer is {value}."])))
    random.Random(0).shuffle(found)
    return found


def _known_steps(lessons: Sequence[Lesson]) -> Steps:
    known: Steps = {}
    while True:
        before = len(known)
        for lesson in lessons:
            value: int | None = lesson.task.start
            *firsts, (operation, operand) = lesson.task.steps
            for first in firsts:
                value = None if value is None else known.get((value, *first))
            if value is not None:
                known.setdefault((value, operation, operand), lesson.answer)
        if len(known) == before:
            return known


def _reordered(trace: str) -> str:
    said = sentences_in(trace)
    at = conclusion_of(said)
    return " ".join([*said[:at], *said[at + 1 :], said[at]])
