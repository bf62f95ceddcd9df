"""Exact tails of the binomial, and of what is compared with them, down to p-values that a double cannot hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special, stats

LN10 = math.log(10.0)
Array = np.ndarray[Any, Any]
NEAR = 1e-4  # of the middle, in standard deviations: the normal tail is right there
FURTHEST = 1e9
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


def weighted_tail(weights: Array, hits: Array, chance: float) -> Tail:
    """Return P(S ≥ s) for s = Σ weight · hit, each of the (n,) hits being one with a probability of its own accord.

    The saddlepoint approximation of Lugannani and Rice (1980) in Barndorff-Nielsen's form (Biometrika 78, 1991), which
    stays right far out in a skewed tail, where the normal one says too little; exact where nothing lies beyond.
    Raises ValueError where no weight differs from nought, or for a chance not within (0, 1).
    """
    if not 0.0 < chance < 1.0:
        raise ValueError(f"a chance of {chance} is no chance")
    held = np.asarray(weights, float)
    kept = held != 0.0
    if not kept.any():
        raise ValueError("nothing weighs anything")
    held, hit = held[kept] / np.abs(held).max(), np.asarray(hits, bool)[kept]
    found = float(held[hit].sum()) - chance * float(held.sum())
    if (hit == (held > 0)).all():  # nothing is further out
        log = float(np.where(hit, math.log(chance), math.log1p(-chance)).sum()) / LN10
        return Tail(10.0**log if log > -300 else 0.0, log)
    if (hit == (held < 0)).all():
        return Tail(1.0, 0.0)
    at = _saddle(held, found, chance)
    value, _, curve = _cumulants(held, at, chance)
    root = math.copysign(math.sqrt(max(2.0 * (at * found - value), 0.0)), at)
    if abs(root) < NEAR:
        return normal_tail(found / math.sqrt(_cumulants(held, 0.0, chance)[2]))
    return normal_tail(root + math.log(at * math.sqrt(curve) / root) / root)


def _cumulants(weights: Array, at: float, chance: float) -> tuple[float, float, float]:
    """The cumulant generating function of the centred sum, and its first two derivatives."""
    tilted = special.expit(at * weights + math.log(chance / (1.0 - chance)))
    value = float(np.logaddexp(math.log1p(-chance), math.log(chance) + at * weights).sum()) - at * chance * float(
        weights.sum()
    )
    slope = float((weights * (tilted - chance)).sum())
    return value, slope, float((weights**2 * tilted * (1.0 - tilted)).sum())


def _saddle(weights: Array, found: float, chance: float) -> float:
    """Where the slope of the cumulant generating function is what was found."""
    reach = 1.0
    while abs(_cumulants(weights, math.copysign(reach, found), chance)[1]) < abs(found) and reach < FURTHEST:
        reach *= 2.0
    low, high = (0.0, reach) if found >= 0 else (-reach, 0.0)
    return float(optimize.brentq(lambda at: _cumulants(weights, at, chance)[1] - found, low, high, xtol=1e-12))


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
