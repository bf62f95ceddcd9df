"""Exact tails of the binomial, and of what is compared with them, down to p-values that a double cannot hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

LN10 = math.log(10.0)
SMALLEST = 1e-290  # below it, the tail is computed from its first term, in logarithms


@dataclass(frozen=True, slots=True)
class Tail:
    """A one-sided p-value, and its decimal logarithm, which does not underflow."""

    p: float
    log10: float


def binomial_tail(hits: int, trials: int, chance: float) -> Tail:
    """Return P(X ≥ hits) for X ~ Binomial(trials, chance): the regularised incomplete beta function, exact.

    Below 1e-290 it is an upper bound that is tight there: the first term over one minus the ratio of the next to it.
    Raises ValueError for hits that are not within 0 … trials, or a chance not within (0, 1).
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials")
    if not 0.0 < chance < 1.0:
        raise ValueError(f"a chance of {chance} is no chance")
    if hits == 0:
        return Tail(1.0, 0.0)
    p = float(special.betainc(hits, 1 + trials - hits, chance))
    if p > SMALLEST:
        return Tail(p, math.log10(p))
    ratio = (trials - hits) / (hits + 1) * chance / (1 - chance)
    log = (float(stats.binom.logpmf(hits, trials, chance)) - math.log1p(-ratio)) / LN10
    return Tail(10.0**log if log > -300 else 0.0, log)


def normal_tail(z: float) -> Tail:
    """Return P(Z ≥ z) of the standard normal."""
    log = float(stats.norm.logsf(z)) / LN10
    return Tail(float(stats.norm.sf(z)), log)


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Return p-values corrected for their number, in their order (Holm, 1979, step down)."""
    order = np.argsort(np.asarray(ps, float), kind="stable")
    corrected, highest = np.empty(len(ps)), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[at]))
        corrected[at] = highest
    return tuple(float(each) for each in corrected)


def uniformity(ps: Sequence[float]) -> float:
    """Return the p-value of finding p-values this low if they are uniform or larger (one-sided Kolmogorov-Smirnov).

    Small means that a test convicts more often than it says: its p-values are not to be believed.
    """
    return float(stats.ks_1samp(np.asarray(ps, float), stats.uniform.cdf, alternative="greater").pvalue)
