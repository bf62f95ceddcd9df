"""Budgets grant what they hold, refill evenly, and forget what is full."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.actions import budgets as module
from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.decision import Budget
from tests.actions.policies import NOON

TEN = Budget("ten", 10, 60.0)


class Bucket:
    """The oracle: a bucket that drips, in exact arithmetic."""

    def __init__(self, budget: Budget) -> None:
        self.size, self.window = budget.amount, Fraction(budget.window)
        self.level, self.at = Fraction(self.size), Fraction(0)

    def take(self, now: Fraction) -> bool:
        self._fill(now)
        if self.level < 1:
            return False
        self.level -= 1
        return True

    def charge(self, amount: int, now: Fraction) -> None:
        self._fill(now)
        self.level = max(self.level - amount, Fraction(-self.size))

    def _fill(self, now: Fraction) -> None:
        self.level = min(self.level + (now - self.at) * self.size / self.window, Fraction(self.size))
        self.at = now


STEPS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0, 0, 0, 1, 7, 50])), max_size=60)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(1, 9), st.sampled_from([7.0, 10.0, 60.0]))
def test_grants_what_a_dripping_bucket_grants(steps: list[tuple[int, int]], amount: int, window: float):
    budget, local = Budget("k", amount, window), LocalBudgets()
    bucket, now = Bucket(budget), 0
    for later, cost in steps:
        now += later
        if cost:
            local.charge([budget], cost, NOON + now)
            bucket.charge(cost, Fraction(now))
        else:
            assert (local.take([budget], [], NOON + now) is None) == bucket.take(Fraction(now))


def test_as_many_at_once_as_it_holds_and_then_one_for_each_part_of_the_window():
    local = LocalBudgets()
    assert [local.take([TEN], [], NOON) for _ in range(10)] == [None] * 10
    short = local.take([TEN], [], NOON)
    assert short is not None
    assert (short.budget, round(short.wait, 3)) == (TEN, 6.0)
    assert local.take([TEN], [], NOON + 6.0) is None


def test_takes_from_all_or_from_none():
    local, one = LocalBudgets(), Budget("one", 1, 60.0)
    assert local.take([TEN, one], [], NOON) is None
    assert local.take([TEN, one], [], NOON).budget is one  # type: ignore[union-attr]
    assert local.left(TEN, NOON) == 9


def test_a_long_answer_locks_out_for_one_window_at_most():
    local = LocalBudgets()
    local.charge([TEN], 1_000_000, NOON)
    short = local.take([], [TEN], NOON)
    assert short is not None
    assert short.wait <= 60.0 + 6.0 + 0.001
    assert local.take([], [TEN], NOON + short.wait) is None


def test_a_clock_that_steps_back_grants_no_more():
    local = LocalBudgets()
    for _ in range(10):
        local.take([TEN], [], NOON)
    assert local.take([TEN], [], NOON - 30.0) is not None


def test_full_budgets_are_swept_out(monkeypatch):
    monkeypatch.setattr(module, "SWEPT", 100)
    local = LocalBudgets()
    for at in range(1000):
        local.take([Budget(f"k{at}", 10, 1.0)], [], NOON + at)
    assert len(local) <= 101
