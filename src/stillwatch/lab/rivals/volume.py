"""Accounts that send most: the threshold that every platform starts with. Per-account volume is not guilt."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid
from stillwatch.lab.rivals.table import once, read

DAY = 86_400_000_000


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """Exchanges of an account, in all or on its busiest day, against a quantile of the platform."""
    table = read(log)
    n = len(table.account)
    if setting["measure"] == "peak-day":
        who, times = once(table.who, table.ts // DAY)[::2]
        score = np.zeros(n)
        np.maximum.at(score, who, times.astype(float))
    else:
        score = np.bincount(table.who, minlength=n).astype(float)
    limit = float(np.quantile(score, setting["quantile"])) if n else 0.0
    return table.ranking(score, score > limit, because=f"more than {limit:.0f} exchanges, {setting['measure']}")


RIVAL = Rival(
    "volume",
    "per-account threshold on the number of exchanges",
    "baseline",
    grid(measure=("total", "peak-day"), quantile=(0.99, 0.95)),
    rank,
)
