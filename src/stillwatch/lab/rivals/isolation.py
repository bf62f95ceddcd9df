"""Accounts unlike most others in any respect: an isolation forest (Liu et al., ICDM 2008) on account features."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid, optional
from stillwatch.lab.rivals.features import features
from stillwatch.lab.rivals.table import read

SEED = 7
FEWEST = 30  # accounts, below which nothing is usual


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """The forest's anomaly score; it is fitted on the log itself, without labels."""
    table = read(log)
    n = len(table.account)
    if n < FEWEST:
        return table.ranking(np.zeros(n), np.zeros(n, bool))
    ensemble = optional("sklearn.ensemble", "scikit-learn>=1.5,<2")
    rows = features(log)
    forest = ensemble.IsolationForest(
        n_estimators=200, max_samples=setting["samples"] if n > setting["samples"] else "auto", random_state=SEED
    ).fit(rows)
    score = -forest.score_samples(rows)
    return table.ranking(score, score > np.quantile(score, 1 - setting["share"]), because="unlike most other accounts")


RIVAL = Rival(
    "isolation-forest",
    "scikit-learn IsolationForest on account features",
    "baseline",
    grid(samples=(256, 1_024), share=(0.01, 0.05)),
    rank,
)
