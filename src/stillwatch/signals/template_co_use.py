"""Accounts that fill the same template, discounted by how popular the template is.

One template over thousands of strangers is a tool; over a handful it is a script. It is never enough alone.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip, devotion
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

CAP = 3.0


@signal(
    "template-co-use",
    axis=Axis.COORDINATION,
    family=Family.CONTENT,
    needs=("prompt|template_key",),
    runbook="Search public tools and papers for the template; register it if it is public.",
)
def template_co_use(group: GroupSketch, population: Population) -> Finding | None:
    """Half the inverse document frequency of the template, in bits (Pacheco et al. 2021, TF-IDF on traces)."""
    together = group.common / np.maximum(group.sums["exchanges"], 1) * devotion(group, population)
    bits = clip(0.5 * np.log2(population.size / group.size), 0.0, CAP) * np.minimum(together, 1.0)
    mean = float(bits.mean())
    if mean <= 0.1:
        return None
    because = f"{group.size} of {population.size} accounts fill {len(group.frames)} template(s), and nobody else does"
    return Finding(mean, because, group.cites, bits)
