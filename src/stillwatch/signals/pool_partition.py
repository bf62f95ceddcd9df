"""Accounts that divide one question pool among them.

A load balancer asks each question once; people who share a source ask the same ones again. Where nothing is ever
repeated, perfect division and an endless pool look the same, and the signal stays silent.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXPECTED = 3.0  # below it, seeing no overlap is no surprise: P(0 | 3) = 0.05
MAX_OWN_REPEATS = 0.1  # more is a habit: people repeat themselves and not each other
CAP = 2.0


@signal(
    "pool-partition",
    axis=Axis.COORDINATION,
    family=Family.CONTENT,
    needs=("prompt|fill_hash",),
    runbook="Ask whether the accounts' questions are shards of one list: order them by fill and look for gaps.",
)
def pool_partition(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of overlap between accounts against what each account's own repeats predict (lower tail of a Poisson)."""
    del population
    counts = group.sums["exchanges"].astype(float)
    within = float((counts * (counts - 1) / 2).sum())
    across = (counts.sum() ** 2 - (counts**2).sum()) / 2
    if within <= 0 or group.fill["within_pairs"] == 0:
        return None  # no repeats within an account: the pool's size is not identifiable
    expected = group.fill["within_pairs"] / within * across
    overlap = group.fill["pair_overlap"]
    own = 1.0 - float(group.sums["fills"].sum()) / group.exchanges
    if own > MAX_OWN_REPEATS or expected < MIN_EXPECTED or overlap >= expected / 2:
        return None
    bits = clip((expected - overlap) / np.log(2) / 8 + np.log2(expected / (overlap + 1)) / 2, 0.0, CAP)
    because = f"{overlap} questions were asked by two members where repeats within members predict {expected:.0f}"
    return Finding(bits, because, group.cites, np.full(group.size, bits))
