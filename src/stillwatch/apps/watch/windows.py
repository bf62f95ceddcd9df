"""Which window an exchange falls into, and which windows may close. Times are µs since 1970, UTC.

A window is named by its end. An exchange belongs to the window of its own time, with two exceptions, so that none waits
for ever and none is left out: one whose window is closed goes into the first that is still open (it is *late*), and one
from the future goes into the window of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

SECOND = 1_000_000
HOUR = 3_600 * SECOND


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows of `every` µs; one may close `lateness` µs after its end, so that what was under way is in it."""

    every: int = HOUR
    lateness: int = 20 * SECOND

    def end(self, moment: int) -> int:
        """The end of the window that holds a moment."""
        return (moment // self.every + 1) * self.every

    def due(self, ends: Iterable[int], now: int, read_until: int) -> list[int]:
        """Return the windows that may close, oldest first: over long enough, and read to their end."""
        return sorted(end for end in set(ends) if end + self.lateness <= now and end <= read_until)


@dataclass(frozen=True, slots=True)
class Moment:
    """The windows as they stand at one moment; `closed` is the end of the last one that was closed."""

    grid: Grid
    now: int
    closed: int | None

    def ends(self, ts: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the end of the window of each time, and how many were late."""
        every = self.grid.every
        # a clock that goes a little ahead is nothing unusual; what is further ahead would wait, perhaps for ever
        known = np.where(ts > self.now + self.grid.lateness, self.now, ts)
        own = (known // every + 1) * every
        if self.closed is None:
            return own, 0
        return np.maximum(own, self.grid.end(self.closed)), int((own <= self.closed).sum())

    def first_open(self) -> int:
        """The end of the first window that can still take something."""
        return self.grid.end(self.now if self.closed is None else self.closed)


def together(due: Sequence[int], behind: int) -> list[tuple[int, ...]]:
    """Group due windows into those that are concluded at once: one by one, or all as one when too many wait."""
    return [tuple(due)] if len(due) > behind else [(end,) for end in due]
