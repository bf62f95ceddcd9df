"""The small students behave as what they are measured for: they learn from traces, and not from bare answers."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from stillwatch.apps.gateway.apis.rewriters import RULES
from stillwatch.lab.students.adapting import conclusion_last, steps_worked_out
from stillwatch.lab.students.student import Student, accuracy
from stillwatch.lab.students.tasks import Lesson, Task, draw_tasks, write_trace

HELD = draw_tasks(80, (2, 3, 4), 9)


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    chance = random.Random(1)
    return [Lesson(each, write_trace(each, chance), each.answer) for each in draw_tasks(2_500, (1, 2, 3, 4), 3)]


def test_a_task_is_what_its_steps_come_to() -> None:
    task = Task(90, (("+", 9), ("*", 3), ("-", 8)))
    assert (task.values, task.answer) == ([2, 6, 95], 95)
    assert write_trace(task, random.Random(0)).endswith("6 - 8 = 95. Therefore the answer is 95.")


def test_a_student_learns_from_raw_traces_and_from_reordered_ones_put_right(lessons: list[Lesson]) -> None:
    raw = accuracy(Student().learn(lessons), HELD)
    turned = [replace(each, trace=RULES["reformulated"](each.trace)) for each in lessons]
    assert raw > 0.6
    assert accuracy(Student().learn(turned), HELD) < 0.2
    assert accuracy(Student().learn(conclusion_last(turned)), HELD) > 0.6


def test_a_student_of_bare_answers_guesses(lessons: list[Lesson]) -> None:
    bare = [replace(each, trace="") for each in lessons]
    assert accuracy(Student().learn(bare), HELD) < 0.2


def test_steps_that_are_worked_out_are_those_that_the_answers_bear_out(lessons: list[Lesson]) -> None:
    bare = [replace(each, trace="") for each in lessons]
    found = steps_worked_out(bare)
    assert len(found) > sum(len(each.task.steps) == 1 for each in lessons)
    for lesson in found:
        steps = zip([lesson.task.start, *lesson.task.values], lesson.task.steps, lesson.task.values, strict=False)
        assert all(f"{value} {step[0]} {step[1]} = {after}." in lesson.trace for value, step, after in steps)


def test_nothing_learned_is_nothing_said() -> None:
    assert Student().solve(HELD[0]) is None
