from __future__ import annotations

import math

import numpy as np
import pytest

from stillwatch.integrity.monitor.merging import average, e_bh, over_families


def test_the_average_of_e_values_is_not_their_product() -> None:
    assert average([math.log(10.0), math.log(30.0)]) == pytest.approx(math.log(20.0))
    assert average([math.log(10.0), math.log(30.0)], [3, 1]) == pytest.approx(math.log(15.0))
    assert average([1000.0, 0.0]) == pytest.approx(1000.0 - math.log(2.0))


def test_nothing_has_no_average() -> None:
    with pytest.raises(ValueError, match="nothing"):
        average([])


def test_one_family_alone_may_speak() -> None:
    quiet = math.log(0.01)
    assert over_families(quiet, [math.log(1e6), quiet, quiet, quiet]) == pytest.approx(
        math.log(1e6 / 8 + 0.01), rel=1e-2
    )
    assert over_families(1.5, []) == 1.5


def test_e_bh_asks_more_of_one_than_of_many() -> None:
    level = 0.01
    assert e_bh({"one": math.log(101.0)}, level) == {"one"}
    assert e_bh({"one": math.log(101.0), "other": 0.0}, level) == frozenset()
    assert e_bh({"one": math.log(101.0), "other": math.log(120.0)}, level) == {"one", "other"}
    assert e_bh({}, level) == frozenset()


def test_e_bh_keeps_its_level_for_e_values_that_depend_on_each_other() -> None:
    chance, level, wrong = np.random.default_rng(3), 0.1, 0
    for _ in range(2000):
        shared = 1.0 / max(chance.random(), 1e-12) if chance.random() < 0.5 else 0.0  # heavy, mean about 1 if cut
        log_e = math.log(min(shared, 40.0) * 0.4 + 1e-9)
        wrong += bool(e_bh({f"{each}": log_e for each in range(5)}, level))
    assert wrong / 2000 <= level


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_level_must_leave_room(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        e_bh({"one": 1.0}, level)
