"""Figures of merit that do not depend on how many attackers a replay happens to hold.

Units: shares are between 0 and 1; "per 100,000" counts innocent accounts; weights are dimensionless.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
PREVALENCES = (1e-2, 1e-3, 1e-4)
BINS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)  # of a stated probability
SURE = 0.95  # one-sided confidence of every bound here


def average_precision(score: Floats, guilty: Flags, prevalence: float) -> float:
    """Area under precision over recall, as a step function, if `prevalence` of all accounts were guilty.

    AP = sum over thresholds k of (R_k - R_{k-1}) * P_k, with recall R = TP / guilty and precision
    P = TP / (TP + w * FP). Every innocent weighs w = guilty * (1 - prevalence) / (innocent * prevalence), so that the
    guilty are `prevalence` of the weight. Accounts of one score are one threshold: a tie is worth its average, not
    the luck of its order. Without guilty accounts it is 0; without innocents, 1.
    """
    hits = int(guilty.sum())
    others = len(guilty) - hits
    if not hits:
        return 0.0
    weight = hits * (1.0 - prevalence) / (others * prevalence) if others else 0.0
    _, place = np.unique(-score, return_inverse=True)
    true = np.cumsum(np.bincount(place, guilty.astype(float)))
    false = np.cumsum(np.bincount(place, (~guilty).astype(float))) * weight
    gained = np.diff(np.concatenate([[0.0], true])) / hits
    return float(np.sum(gained * true / (true + false)))


def at_most(events: int, trials: int) -> float:
    """Upper Clopper-Pearson bound on a rate, one-sided at 95 %: the largest that would show so few events in 1 of 20.

    It is the 0.95 quantile of Beta(events + 1, trials - events); without trials nothing is known, and it is 1.
    """
    if events >= trials:
        return 1.0
    return float(beta.ppf(SURE, events + 1, trials - events))


@dataclass(frozen=True, slots=True)
class Rate:
    """Events among trials, per 100,000, and what the rate may be at most."""

    events: int
    trials: int

    @property
    def per_100k(self) -> float:
        """Events per 100,000 trials."""
        return 1e5 * self.events / self.trials if self.trials else 0.0

    @property
    def bound_per_100k(self) -> float:
        """Upper bound on the same, at 95 % confidence."""
        return 1e5 * at_most(self.events, self.trials)


def precision_recall(accused: Flags, guilty: Flags) -> tuple[float, float]:
    """TP / (TP + FP) and TP / (TP + FN) of a decision; 0 where the denominator is."""
    true = int((accused & guilty).sum())
    return true / max(1, int(accused.sum())), true / max(1, int(guilty.sum()))


def brier(p: Floats, true: Flags) -> float:
    """Mean square of (stated probability - outcome): 0 is perfect, 0.25 is what saying one half always earns."""
    return float(np.mean((p - true) ** 2)) if len(p) else 0.0


def reliability(p: Floats, true: Flags, bins: Sequence[float] = BINS) -> list[tuple[float, float, int]]:
    """Mean stated probability, share that was true, and how many, for each bin that holds any."""
    place = np.clip(np.digitize(p, bins[1:-1]), 0, len(bins) - 2)
    return [
        (float(p[place == at].mean()), float(true[place == at].mean()), int((place == at).sum()))
        for at in range(len(bins) - 1)
        if (place == at).any()
    ]


def median(values: Iterable[float]) -> float:
    """The middle value; of an even number the mean of the middle two; of none, not a number."""
    held = list(values)
    return float(np.median(held)) if held else float("nan")
