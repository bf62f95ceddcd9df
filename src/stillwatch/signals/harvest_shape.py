"""Exchanges shaped like a data set: one question, one long answer, no follow-up.

People correct, regenerate and go on; a harvest takes the answer and leaves.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import Rest, clip
from stillwatch.signals.ties import hold
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXCHANGES = 30
CAP = 3.0


@signal(
    "harvest-shape",
    axis=Axis.EXTRACTION,
    family=Family.USAGE,
    needs=("turns|max_tokens",),
    runbook="Open a few cited exchanges: is there any follow-up, correction or tool result?",
)
def harvest_shape(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of single-turn share, output for input, and answers that fill their limit, against all other accounts."""
    if group.exchanges < MIN_EXCHANGES:
        return None
    others = Rest(group, population)
    if not others.size:
        return None
    bits, words = 0.0, []
    if "turns" in population.present:
        single = group.sums["single"].sum() / group.exchanges
        usual = others.a_exchange("single")
        bits += 2.0 * (float(single) - usual)
        words.append(f"{single:.0%} single-turn ({usual:.0%} elsewhere)")
    if {"input_tokens", "output_tokens"} <= population.present:
        ratio = float(group.sums["output_tokens"].sum() / max(group.sums["input_tokens"].sum(), 1))
        totals = [float(others.sum(name)) for name in ("output_tokens", "input_tokens")]
        usual_ratio = totals[0] / max(totals[1], 1.0)
        bits += clip(0.5 * float(np.log2((ratio + 0.1) / (usual_ratio + 0.1))), -1.0, 1.0)
        words.append(f"{ratio:.1f} output tokens an input token ({usual_ratio:.1f})")
    if {"max_tokens", "output_tokens"} <= population.present:
        full = float(group.sums["saturated"].sum() / group.exchanges)
        bits += clip(2.0 * full, 0.0, 1.0)
        words.append(f"{full:.0%} of answers fill their limit")
    held = hold(group, population)  # a phrase people open with is single-turn by itself
    bits = clip(bits * (0.2 + 0.8 * held), 0.0, CAP)
    return Finding(bits, "; ".join(words), group.cites) if bits > 0.1 else None
