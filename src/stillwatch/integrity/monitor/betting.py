"""A bet against uniform ranks: capital that grows only if the endpoint's answers are not the reference's.

While the null holds, each rank is uniform whatever came before, every bet is fair, and the capital is a nonnegative
martingale that starts at 1. By Ville's inequality it ever reaches 1,000 with probability at most 1/1,000, so looking
after every call costs nothing (Ville 1939; Vovk, Nouretdinov and Gammerman 2003 for ranks; Waudby-Smith and Ramdas
2024 for betting). A share of the capital moves between the bets at each step (Herbster and Warmuth 1998), which is
itself fair, so that a change after a long quiet time is still seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

TAILS = (1.25, 1.6, 2.5, 5.0, 20.0)  # slight to total shifts of the ranks, to either side
SPREADS = (0.4, 3.0)  # ranks at both ends; ranks too much in the middle
BETS = 1 + 2 * len(TAILS) + len(SPREADS)  # the first bets nothing: cash
CASH = 0.5  # prior share that stays out
SETTLING = 30  # a share of 1 / (n + 30) is moved after the n-th step
CLOSEST = 1e-9  # ranks nearer to 0 or 1 count as this
PRIOR = (math.log(CASH), *[math.log((1 - CASH) / (BETS - 1))] * (BETS - 1))
SPREAD_CONSTANTS = tuple(math.lgamma(2 * a) - 2 * math.lgamma(a) for a in SPREADS)


@dataclass(frozen=True, slots=True)
class Capital:
    """What each bet holds, as natural logarithms, after some steps; `peak` is the largest sum so far."""

    holdings: tuple[float, ...] = PRIOR
    steps: int = 0
    peak: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the e-value now."""
        return _log_sum(self.holdings)


def bet(capital: Capital, rank: float) -> Capital:
    """Settle the bets on one rank in [0, 1], which is uniform, given the past, under the null.

    Raises ValueError for a rank outside of [0, 1].
    """
    if not 0.0 <= rank <= 1.0:
        raise ValueError(f"a rank is between 0 and 1, not {rank}")
    won = [held + gain for held, gain in zip(capital.holdings, _gains(rank), strict=True)]
    total = _log_sum(won)
    moved = 1.0 / (capital.steps + SETTLING)
    stays, shared = math.log1p(-moved), math.log(moved) + total
    holdings = tuple(_log_add(stays + each, shared + prior) for each, prior in zip(won, PRIOR, strict=True))
    return Capital(holdings, capital.steps + 1, max(capital.peak, total))


def bet_all(ranks: Iterable[float], capital: Capital | None = None) -> Capital:
    """Settle the bets on ranks in their order."""
    held = capital or Capital()
    for rank in ranks:
        held = bet(held, rank)
    return held


def anytime_p(capital: Capital) -> float:
    """Return the p-value that is valid at any moment: one over the largest e-value so far. It is never 0."""
    return math.exp(-max(capital.peak, 0.0))


def _gains(rank: float) -> list[float]:
    """Log densities on [0, 1] of all bets at a rank; each integrates to 1."""
    low = math.log(min(max(rank, CLOSEST), 1.0))
    high = math.log(min(max(1.0 - rank, CLOSEST), 1.0))
    gains = [0.0]
    for power in TAILS:
        gains += [math.log(power) + (power - 1) * low, math.log(power) + (power - 1) * high]
    gains += [c + (a - 1) * (low + high) for a, c in zip(SPREADS, SPREAD_CONSTANTS, strict=True)]
    return gains


def _log_sum(terms: Iterable[float]) -> float:
    kept = list(terms)
    top = max(kept)
    return top + math.log(sum(math.exp(each - top) for each in kept))


def _log_add(one: float, other: float) -> float:
    top = max(one, other)
    return top + math.log1p(math.exp(min(one, other) - top))
