"""Exact p-values by permuting within prompts: answers to one prompt are exchangeable if both come from one model.

The observed arrangement counts as one of the permutations, so p is at least 1 / (permutations + 1) and never 0
(Phipson and Smyth 2010). A test that reports p = 0 claims more than any number of permutations can show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PERMUTATIONS = 9_999
_SLACK = 1e-12  # sums in another order differ in the last digits; ties must count as ties
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a test found: its statistic, its exact p-value, and how many answers of the endpoint it used."""

    test: str
    statistic: float
    p: float
    calls: int


def p_of(observed: float, permuted: Floats) -> float:
    """Return the share of arrangements, the observed one among them, that are at least as extreme."""
    slack = _SLACK * max(1.0, abs(observed))
    return float((1 + np.count_nonzero(permuted >= observed - slack)) / (1 + permuted.size))


def permuted_labels(ours: int, theirs: int, times: int, chance: np.random.Generator) -> Labels:
    """Return labels, shape (times + 1, ours + theirs): True is the endpoint's. The first row is as observed."""
    observed = np.arange(ours + theirs) >= ours
    rows = np.tile(observed, (times + 1, 1))
    rows[1:] = chance.permuted(rows[1:], axis=1)
    return rows


def total_of(parts: Sequence[Floats]) -> tuple[float, Floats]:
    """Sum statistics over prompts, each of shape (times + 1,): the observed sum and the permuted ones."""
    summed = np.sum(np.stack(parts), axis=0)
    return float(summed[0]), summed[1:]
