"""One answer a prompt, ranked among the reference's: the ranks are uniform if both are one model.

Zhu et al., "Auditing Black-Box LLM APIs with a Rank-Based Uniformity Test" (ICLR 2026): log-ranks of tokens under a
local reference, Cramér–von Mises on the ranks. The p-value is by simulation of uniform ranks, with the observed ones
counted in: the asymptotic law's last digits are noise below 1e-8, and it is wrong for few calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from stillwatch.integrity.audit.permutation import Floats, Outcome, p_of

SIMULATIONS = 9_999
_ROWS = 500_000  # numbers drawn at a time


def cramer_von_mises(ranks: Floats) -> Floats:
    """Return the distance of ranks from the uniform law, of shape (...,) for ranks of shape (..., calls)."""
    ordered = np.sort(ranks, axis=-1)
    calls = ordered.shape[-1]
    middles = (2.0 * np.arange(1, calls + 1) - 1.0) / (2.0 * calls)
    return np.sum((ordered - middles) ** 2, axis=-1) + 1.0 / (12.0 * calls)


def uniformity_test(ranks: Sequence[float], seed: int = 0, simulations: int = SIMULATIONS) -> Outcome:
    """Test ranks in [0, 1], one a call and independent of each other under the null, for uniformity.

    Raises ValueError when there are none.
    """
    if not len(ranks):
        raise ValueError("no ranks to test")
    observed = float(cramer_von_mises(np.asarray(ranks, dtype=np.float64)))
    return Outcome("rank", observed, p_of(observed, _simulated(len(ranks), seed, simulations)), len(ranks))


@lru_cache(maxsize=64)
def _simulated(calls: int, seed: int, simulations: int) -> Floats:
    """Statistics of uniform ranks, shape (simulations,)."""
    chance = np.random.default_rng((seed, calls))
    step = max(_ROWS // calls, 1)
    sizes = [min(step, simulations - start) for start in range(0, simulations, step)]
    return np.concatenate([cramer_von_mises(chance.random((size, calls))) for size in sizes])
