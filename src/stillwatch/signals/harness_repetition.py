"""Speaks for innocence: strangers ask the very same questions.

A harvest asks each question once or a few times; people who run one benchmark, or sit one assignment, all ask the same.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.signals.ties import hidden
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXCHANGES = 30
CAP = -8.0


@signal(
    "harness-repetition",
    axis=Axis.EXTRACTION,
    family=Family.CONTENT,
    needs=("prompt|fill_hash",),
    runbook="Look for the public benchmark that the repeated questions come from.",
)
def harness_repetition(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits of the mean overlap of two members' questions, as a share of what the smaller one asks.

    Laboratories that run one benchmark do not share cards or phones. An operator who samples each item several times
    may, and then what he repeats does not speak for him.
    """
    if group.exchanges < MIN_EXCHANGES or group.size < 2:
        return None
    fills = np.sort(group.sums["fills"]).astype(float)
    smaller = float((fills * np.arange(len(fills) - 1, -1, -1)).sum())  # sum of min over all pairs
    overlap = group.fill["pair_overlap"] / max(smaller, 1.0)
    repeats = group.fill["shared"] / max(group.fill["fills"], 1)
    bits = -clip(12.0 * max(overlap - 0.03, 0.0) + 3.0 * max(repeats - 0.05, 0.0), 0.0, -CAP)
    bits *= 1.0 - hidden(group, population)
    if bits > -0.1:
        return None
    because = (
        f"two members share {overlap:.0%} of their questions; {repeats:.0%} of questions come from several members"
    )
    return Finding(bits, because, group.cites)
