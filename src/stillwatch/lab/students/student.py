"""A student that imitates traces: an n-gram model with back-off, which can also copy from the task and from itself.

It writes token after token, as the traces that it learned from were written. Each token is learned as an act: the next
token of the task that was not used yet, its own last result, or a token itself. The act is chosen by the longest
context that was seen ("stupid back-off", Brants et al. 2007, without weights). That is enough to learn a table of
operations and the order in which a trace goes, and nothing else.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stillwatch.lab.students.tasks import Lesson, Task

TOKEN = re.compile(r"\d+|[A-Za-z']+|[^\sA-Za-z\d]")
NEXT, LAST, START, END = "<next>", "<last>", "<start>", "<end>"
ORDERS = (4, 3, 2, 1)  # tokens of context, the longest first
MOST = 160  # tokens that it writes
STATED = re.compile(r"answer is (\d+)")


@dataclass
class _Written:
    """What was written so far, with what can be copied."""

    source: Sequence[str]
    tokens: list[str] = field(default_factory=lambda: [START])
    used: int = 0  # tokens of the task that were copied
    last: str = ""  # what came after the last "="

    def contexts(self) -> Iterable[tuple[str, ...]]:
        """Yield what came before, the longest first; of a result it does not matter whether the task is used up."""
        over = "" if self._after_equals else "over" if self.used >= len(self.source) else "on"
        yield from ((over, *self.tokens[-order:]) for order in ORDERS if len(self.tokens) >= order)
        yield (over,)

    def can(self, act: str) -> bool:
        """Say whether there is something to copy."""
        return {NEXT: self.used < len(self.source), LAST: self.last != ""}.get(act, True)

    def act_of(self, token: str) -> str:
        """Return by which act a token is written."""
        if self.used < len(self.source) and token == self.source[self.used] and not self._after_equals:
            return NEXT
        return LAST if token == self.last and not self._after_equals else token

    def add(self, act: str) -> None:
        """Write by an act."""
        token = self.source[self.used] if act == NEXT else self.last if act == LAST else act
        if self._after_equals:
            self.last = token
        self.used += act == NEXT
        self.tokens.append(token)

    @property
    def _after_equals(self) -> bool:
        return self.tokens[-1:] == ["="]


class Student:
    """Learns from lessons; then solves tasks by writing a trace and reading the answer that it states in it."""

    def __init__(self) -> None:
        self._acts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)

    def learn(self, lessons: Iterable[Lesson]) -> Student:
        """Learn to write each lesson's trace, and then its answer where the trace states none."""
        for lesson in lessons:
            written = _Written(_source(lesson.task))
            text = lesson.trace if STATED.search(lesson.trace) else f"{lesson.trace} The answer is {lesson.answer}."
            for token in [*TOKEN.findall(text), END]:
                act = written.act_of(token)
                for context in written.contexts():
                    self._acts[context][act] += 1
                written.add(act)
        return self

    def write(self, task: Task) -> str:
        """Return the trace that it writes for a task, its likeliest act at each place."""
        written = _Written(_source(task))
        while len(written.tokens) < MOST and written.tokens[-1:] != [END]:
            written.add(self._likeliest(written))
        return " ".join(written.tokens[1:])

    def _likeliest(self, written: _Written) -> str:
        for context in written.contexts():
            found: Mapping[str, int] = self._acts.get(context, {})
            acts = [act for act in sorted(found) if written.can(act)]
            if acts:
                return max(acts, key=found.__getitem__)
        return END

    def solve(self, task: Task) -> int | None:
        """Return the answer that it states; None where it states none."""
        said = STATED.findall(self.write(task))
        return int(said[-1]) if said else None


def accuracy(student: Student, tasks: Sequence[Task]) -> float:
    """Return the share of tasks that a student solves."""
    return sum(student.solve(task) == task.answer for task in tasks) / len(tasks)


def _source(task: Task) -> list[str]:
    """A task as tokens that can be copied one after another."""
    return [str(task.start), *(word for step in task.steps for word in map(str, step))]
