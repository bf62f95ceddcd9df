"""The bets of many simulated streams at once, for power before an audit and for calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.integrity.monitor.betting import CLOSEST, PRIOR, SETTLING, SPREAD_CONSTANTS, SPREADS, TAILS

Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class ManyCapitals:
    """Capitals of so many streams that are bet on in step; `holdings` has shape (streams, bets), as logarithms."""

    holdings: Floats
    steps: int = 0

    def bet(self, ranks: Floats) -> Floats:
        """Settle the bets on one rank a stream, shape (streams,), and return each stream's log e-value."""
        won = self.holdings + _gains(ranks)
        total = _log_sum(won)
        moved = 1.0 / (self.steps + SETTLING)
        shared = math.log(moved) + total[:, None] + np.array(PRIOR)[None, :]
        self.holdings = np.logaddexp(math.log1p(-moved) + won, shared)
        self.steps += 1
        return total


def open_capitals(streams: int) -> ManyCapitals:
    """Begin so many streams."""
    return ManyCapitals(np.tile(np.array(PRIOR), (streams, 1)))


def _gains(ranks: Floats) -> Floats:
    low = np.log(np.clip(ranks, CLOSEST, 1.0))
    high = np.log(np.clip(1.0 - ranks, CLOSEST, 1.0))
    gains = [np.zeros(len(ranks))]
    for power in TAILS:
        gains += [math.log(power) + (power - 1) * low, math.log(power) + (power - 1) * high]
    gains += [c + (a - 1) * (low + high) for a, c in zip(SPREADS, SPREAD_CONSTANTS, strict=True)]
    return np.stack(gains, axis=1)


def _log_sum(terms: Floats) -> Floats:
    top = terms.max(axis=1)
    total: Floats = top + np.log(np.exp(terms - top[:, None]).sum(axis=1))
    return total
