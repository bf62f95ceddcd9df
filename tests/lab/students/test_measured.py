from __future__ import annotations

from stillwatch.lab.students.measured import SERVED, adapted, measure
from stillwatch.lab.students.tasks import Lesson, Task


def test_each_countermeasure_is_measured_on_students_that_do_and_do_not_know_of_it() -> None:
    found = {each.served: each for each in measure((1,), 700, 30)}
    assert set(found) == set(SERVED)
    assert found["raw"].passive == found["raw"].adaptive
    assert min(found["raw"].passive) > max(found["reformulate-reasoning"].passive)
    assert min(found["reformulate-reasoning"].adaptive) > max(found["reformulate-reasoning"].passive)
    assert found["drop-reasoning"].kept[0] < 700


def test_whoever_got_the_trace_as_it_is_learns_from_it_as_it_is() -> None:
    lesson = Lesson(Task(3, (("+", 4),)), "3 + 4 = 7. Therefore the answer is 7.", 7)
    assert adapted("raw", [lesson]) == [lesson]
