"""Streams of prompts whose distances to each other are not those of natural use: PRADA.

Juuti et al., "PRADA: Protecting against DNN Model Stealing Attacks" (arXiv 1805.02628): the distances of each prompt to
its nearest earlier one are near normal in natural use; a Shapiro-Wilk statistic below delta raises the alarm.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import stats

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid
from stillwatch.lab.rivals.embedding import Vectors, queries
from stillwatch.lab.rivals.streams import score_streams
from stillwatch.lab.rivals.table import read
from stillwatch.model import UsageError

WINDOW = 1_000  # prompts


def statistic(vectors: Vectors, least: int) -> float:
    """1 - W of the distances to the nearest earlier prompt; 0 below the least number of prompts."""
    few = vectors[:WINDOW]
    if len(few) < least:
        return 0.0
    alike = few @ few.T
    alike[np.triu_indices(len(few))] = -1.0
    distance = np.sqrt(np.maximum(2.0 - 2.0 * alike[1:].max(axis=1), 0.0)).astype(float)
    middle, spread = distance.mean(), distance.std()
    if spread < 1e-9:
        return 1.0  # one prompt again and again: as far from normal as can be
    kept = distance[np.abs(distance - middle) <= 3 * spread]
    return 1.0 - float(stats.shapiro(kept).statistic) if np.ptp(kept) > 1e-9 else 1.0


def rank(log: Log, setting: Setting, tuned: Tuned | None = None) -> Ranking:
    """1 - W of an account's prompts, or of the worst pool that it takes part in."""
    table = read(log)
    if tuned is None or "embedding" not in tuned.parts:
        raise UsageError("prada needs the embedding that train() fits on a tuning replay, as its third argument")
    measure = partial(statistic, least=setting["least"])
    found = queries(log, tuned.parts["embedding"])
    score, group = score_streams(found, len(table.account), setting["pooled"], measure)
    return table.ranking(score, score > 1 - setting["delta"], group, f"Shapiro-Wilk below {setting['delta']}")


RIVAL = Rival(
    "prada",
    "PRADA, arXiv 1805.02628",
    "port",
    grid(pooled=(False, True), least=(30, 100), delta=(0.9, 0.8)),
    rank,
    "hashed words and SVD instead of an image network; one class; pooled by masked shingle signature",
)
