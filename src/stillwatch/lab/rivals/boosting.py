"""A supervised model on account features, taught by true labels, and by labels as an operations team would have them.

With operational labels such a model loses most of what it shows with perfect ones
(arXiv 2609.38239), so both are on the table. The labels come from tuning replays; the model is applied to others.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid, optional
from stillwatch.lab.rivals.features import features
from stillwatch.lab.rivals.table import read
from stillwatch.lab.truth import Truth
from stillwatch.model import UsageError

SEED = 7
MISSED = 0.4  # of guilty accounts, the quiet ones first
WRONGED = 0.01  # of innocent accounts, the loudest
GRID = grid(leaves=(4, 7, 31), rounds=(100,))


def guilty(log: Log, truth: Truth) -> NDArray[np.bool_]:
    """The label of each account of the table."""
    return np.array([not truth.innocent(account) for account in read(log).account.tolist()], bool)


def noisy(label: NDArray[np.bool_], volume: NDArray[np.float64], seed: int = SEED) -> NDArray[np.bool_]:
    """Labels as an operations team has them: loud attackers are known, quiet ones missed, loud innocents accused."""
    rng = np.random.default_rng(seed)
    seen = label.copy()
    loud = volume * rng.lognormal(0.0, 0.7, len(volume))  # chance has a say in who is noticed
    bad, good = np.flatnonzero(label), np.flatnonzero(~label)
    seen[bad[np.argsort(loud[bad])][: round(MISSED * len(bad))]] = False
    seen[good[np.argsort(-loud[good])][: round(WRONGED * len(good))]] = True
    return seen


def fit(replays: tuple[tuple[Log, Truth], ...], labels: str) -> dict[str, Any]:
    """One model for each setting, from tuning replays."""
    ensemble = optional("sklearn.ensemble", "scikit-learn>=1.5,<2")
    rows, known = [], []
    for log, truth in replays:
        table, label = read(log), guilty(log, truth)
        volume = np.bincount(table.who, minlength=len(table.account)).astype(float)
        rows.append(features(log))
        known.append(label if labels == "oracle" else noisy(label, volume))
    found = {}
    for setting in GRID:
        model = ensemble.HistGradientBoostingClassifier(
            max_leaf_nodes=setting["leaves"], max_iter=setting["rounds"], learning_rate=0.06, random_state=SEED
        )
        found[key(setting)] = model.fit(np.vstack(rows), np.concatenate(known))
    return found


def key(setting: Setting) -> str:
    """The name of a setting's model."""
    return f"{setting['leaves']}-{setting['rounds']}"


def rank(name: str, log: Log, setting: Setting, tuned: Tuned | None = None) -> Ranking:
    """The probability that the model gives."""
    table = read(log)
    models: Mapping[str, Any] | None = tuned.parts.get(name) if tuned else None
    if models is None:
        raise UsageError(f"{name} needs what train() made of a tuning replay, as its third argument")
    if not len(table.account):
        return table.ranking(np.zeros(0), np.zeros(0, bool))
    score = models[key(setting)].predict_proba(features(log))[:, 1]
    return table.ranking(score, score >= 0.5, because="resembles accounts labelled in tuning")


ORACLE = Rival(
    "boosting-oracle",
    "scikit-learn HistGradientBoosting on account features, true tuning labels",
    "baseline",
    GRID,
    partial(rank, "boosting-oracle"),
)
NOISY = Rival(
    "boosting-noisy",
    "scikit-learn HistGradientBoosting on account features, noisy tuning labels (arXiv 2609.38239 on why)",
    "baseline",
    GRID,
    partial(rank, "boosting-noisy"),
    "40 % of guilty accounts unlabelled, quiet ones first; the loudest 1 % of innocents labelled guilty",
)
