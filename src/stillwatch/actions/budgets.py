"""Budgets of requests and of tokens in the memory of one process: a virtual schedule (GCRA) for each key.

A budget is a moment: when it would be full again if nothing more were taken. Taking moves the moment on; there is room
while it is less than one window away. So many can be taken at once, and so many come back evenly in each window.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stillwatch.actions.decision import Budget

EXACT = 1e-6  # seconds: what a double of a moment in this century is good for
SWEPT = 65_536  # keys from which full budgets are swept out


@dataclass(frozen=True, slots=True)
class Shortage:
    """The budget that has no room, and the seconds until it may have; of several the one that takes longest."""

    budget: Budget
    wait: float


class Budgets(Protocol):
    """What a policy draws from."""

    def take(self, requests: Sequence[Budget], tokens: Sequence[Budget], now: float) -> Shortage | None:
        """Take one request from each of `requests`, if all of these and all `tokens` have room; else from none."""

    def charge(self, budgets: Sequence[Budget], amount: int, now: float) -> None:
        """Take what an answer has cost, room or not: what is overdrawn must refill before the next request."""


class LocalBudgets:
    """Budgets of one process. Safe to call from several threads."""

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}
        self._sweep_at = SWEPT
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, requests: Sequence[Budget], tokens: Sequence[Budget], now: float) -> Shortage | None:
        """Take one request from each, or from none; see Budgets."""
        with self._lock:
            longest, short = EXACT, None
            for budget in (*requests, *tokens):
                window = budget.window
                wait = self._full_at.get(budget.key, now) + window / budget.amount - window - now
                if wait > longest:
                    longest, short = wait, budget
            if short is not None:
                return Shortage(short, longest)
            for budget in requests:
                self._charge(budget, 1, now)
            return None

    def charge(self, budgets: Sequence[Budget], amount: int, now: float) -> None:
        """Take an amount from each, room or not; see Budgets."""
        if amount > 0:
            with self._lock:
                for budget in budgets:
                    self._charge(budget, amount, now)

    def knows(self, key: str) -> bool:
        """Return whether anything was taken from a budget that may not have come back."""
        return key in self._full_at

    def left(self, budget: Budget, now: float) -> int:
        """Return how many can be taken now."""
        spent = max(self._full_at.get(budget.key, now) - now, 0.0)
        return max(int((budget.window - spent) * budget.amount / budget.window + EXACT), 0)

    def _charge(self, budget: Budget, amount: int, now: float) -> None:
        full_at = max(self._full_at.get(budget.key, now), now) + amount * budget.window / budget.amount
        # at most one window of debt: a single long answer must not lock an account out for days
        self._full_at[budget.key] = min(full_at, now + 2 * budget.window)
        if len(self._full_at) > self._sweep_at:
            self._full_at = {key: moment for key, moment in self._full_at.items() if moment > now}
            self._sweep_at = max(SWEPT, 2 * len(self._full_at))
