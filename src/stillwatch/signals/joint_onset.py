"""Accounts that take up one frame at the same time.

A workload is switched on for the whole pool; a tool is found by one customer after another.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import near
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import HOUR_US, Population

WIDTH = 6 * HOUR_US
CAP = 3.0


@signal(
    "joint-onset",
    axis=Axis.COORDINATION,
    family=Family.TIMING,
    needs=("prompt|template_key",),
    runbook="Look for a launch, a course or a deadline that day; ask when the members first heard of the tool.",
)
def joint_onset(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members start within six hours of each other, against the starts of all other frames."""
    atoms = population.atoms
    own = atoms.starts_within(group.frames)
    bits = np.clip(near(group.sums["first_ts"], atoms.starts, WIDTH, apart=own), -1.0, CAP)
    mean = float(bits.mean())
    if mean <= 0.05:
        return None
    return Finding(mean, f"{int((bits > 1).sum())} of {group.size} members started close to others", group.cites, bits)
