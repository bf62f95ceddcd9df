"""Streams of prompts drawn from another distribution than benign use: a maximum mean discrepancy with a kernel.

arXiv 2606.05725: windows of up to 1,500 prompts against a benign reference, the threshold from benign traffic alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid
from stillwatch.lab.rivals.embedding import Embedding, Queries, Vectors, queries
from stillwatch.lab.rivals.streams import score_streams
from stillwatch.lab.rivals.table import read
from stillwatch.model import UsageError

REFERENCE = 1_500
SIZES = (10, 30, 100, 300, 1_000)  # windows whose spread under benign use is measured
DRAWS = 30
FALSE = 0.003  # of benign accounts: the rate at which the paper works
SEED = 7
GRID = grid(pooled=(False, True), least=(10,), scaled=(True, False))


@dataclass(frozen=True, eq=False)
class Reference:
    """Benign prompts of tuning, and what windows of them score by chance."""

    vectors: Vectors
    gamma: float
    inside: float  # mean kernel among the reference
    spread: NDArray[np.float64]  # of benign windows, by size
    limit: Mapping[str, float]  # by setting


def discrepancy(vectors: Vectors, reference: Reference, least: int, scaled: bool) -> float:
    """Unbiased squared MMD, in benign standard deviations of a window of its size when scaled; 0 below the least."""
    n = len(vectors)
    if n < max(2, least):
        return 0.0
    own = _kernel(vectors, vectors, reference.gamma)
    across = _kernel(vectors, reference.vectors, reference.gamma)
    value = (float(own.sum()) - n) / (n * (n - 1)) + reference.inside - 2 * float(across.mean())
    if scaled:
        value /= float(np.exp(np.interp(np.log(n), np.log(SIZES), np.log(reference.spread))))
    return max(value, 0.0)


def fit(log: Log, innocent: NDArray[np.bool_], embedding: Embedding) -> Reference:
    """Reference, spread and thresholds from the innocent accounts of a tuning replay."""
    rng = np.random.default_rng(SEED)
    found = queries(log, embedding)
    benign = np.flatnonzero(innocent[found.who])
    vectors = found.vector[rng.permutation(benign)]
    chosen = vectors[:REFERENCE]
    gaps = 2.0 - 2.0 * (chosen @ chosen.T)
    gamma = 1.0 / max(float(np.median(gaps)), 1e-6)
    inside = (float(np.exp(-gamma * np.maximum(gaps, 0)).sum()) - len(chosen)) / max(1, len(chosen) * (len(chosen) - 1))
    plain = Reference(chosen, gamma, inside, np.ones(len(SIZES)), {})
    spread = []
    for size in SIZES:
        windows = (rng.choice(len(vectors), min(size, len(vectors)), replace=False) for _ in range(DRAWS))
        raw = [_signed(vectors[window], plain) for window in windows]
        spread.append(max(float(np.std(raw)), 1e-9))
    known = Reference(chosen, gamma, inside, np.array(spread), {})
    limits = {_key(setting): _limit(found, innocent, known, setting) for setting in GRID}
    return Reference(chosen, gamma, inside, np.array(spread), limits)


def _signed(vectors: Vectors, reference: Reference) -> float:
    n = max(2, len(vectors))
    own, across = _kernel(vectors, vectors, reference.gamma), _kernel(vectors, reference.vectors, reference.gamma)
    return (float(own.sum()) - n) / (n * (n - 1)) + reference.inside - 2 * float(across.mean())


def _limit(found: Queries, innocent: NDArray[np.bool_], reference: Reference, setting: Setting) -> float:
    measure = partial(discrepancy, reference=reference, least=setting["least"], scaled=setting["scaled"])
    score, _ = score_streams(found, len(innocent), setting["pooled"], measure)
    return float(np.quantile(score[innocent], 1 - FALSE))


def _kernel(left: Vectors, right: Vectors, gamma: float) -> NDArray[np.float32]:
    gaps = np.maximum(2.0 - 2.0 * (left @ right.T), 0.0)
    return np.asarray(np.exp(-gamma * gaps), dtype=np.float32)


def _key(setting: Setting) -> str:
    return f"{setting['pooled']}-{setting['least']}-{setting['scaled']}"


def rank(log: Log, setting: Setting, tuned: Tuned | None = None) -> Ranking:
    """The discrepancy of an account's prompts, or of the worst pool that it takes part in."""
    table = read(log)
    reference: Reference | None = tuned.parts.get("mmd") if tuned else None
    if tuned is None or reference is None:
        raise UsageError(
            "mmd needs the benign reference that train() takes from a tuning replay, as its third argument"
        )
    measure = partial(discrepancy, reference=reference, least=setting["least"], scaled=setting["scaled"])
    found = queries(log, tuned.parts["embedding"])
    score, group = score_streams(found, len(table.account), setting["pooled"], measure)
    return table.ranking(
        score, score > reference.limit[_key(setting)], group, "prompts unlike those of benign accounts"
    )


RIVAL = Rival(
    "mmd",
    "MMD detector, arXiv 2606.05725",
    "port",
    GRID,
    rank,
    "hashed words and SVD instead of bge-small; an account's whole stream is its window; pooled by shingle signature",
)
