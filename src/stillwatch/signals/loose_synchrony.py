"""Accounts that are active at the same times, more than their hours of day explain.

One scheduler starts and stops them together; jitter of minutes hides at one time scale and shows at the next.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.counting import meetings, move_to_other_days
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import DAY_US, Population

SCALES_MIN = (1, 15, 120, 360)
SHUFFLES = 12
MIN_BEATS = 4  # active minutes for an account to have a rhythm at all
Z_BAR = 4.0
CAP = 4.0


@signal(
    "loose-synchrony",
    axis=Axis.COORDINATION,
    family=Family.TIMING,
    runbook="Plot the members' activity on one axis; a cron at the top of the hour or a deadline explains some of it.",
)
def loose_synchrony(group: GroupSketch, population: Population) -> Finding | None:
    """Co-activity over its mean with members shifted by days of a kind (SynchroTrap, CCS 2014; shuffled null)."""
    member, minute = group.beats
    busy = np.bincount(member, minlength=group.size) >= MIN_BEATS
    keep = busy[member] if len(member) else np.zeros(0, np.bool_)
    member, minute = member[keep], minute[keep]
    first, last = population.start // DAY_US, population.end // DAY_US
    days = int(last - first) + 1
    if busy.sum() < 4 or days < 3:
        return None
    chance = np.random.default_rng(group.size)  # fixed by the sketch: same input, same bytes
    minute = minute - first * 1_440
    shifts = chance.integers(0, days, (SHUFFLES, group.size))
    shifted = move_to_other_days(member, minute, shifts, int(first), days)
    best, best_scale = 0.0, 0
    for scale in SCALES_MIN:
        seen, *null = meetings(member, minute, shifted, scale)
        mean, spread = float(np.mean(null)), float(np.std(null)) + np.sqrt(np.mean(null) + 1)
        if (seen - mean) / spread >= Z_BAR:
            bits = float(np.log2((seen + 10) / (mean + 10)))
            best, best_scale = max((best, best_scale), (bits, scale))
    if best < 0.1:
        return None
    bits = clip(best, 0.0, CAP)
    because = f"members are active together {2**best:.1f} times as often as when shifted by days (at {best_scale} min)"
    return Finding(bits, because, group.cites, np.where(busy, bits, 0.0))
