"""Accounts that are active at the same times, more than their hours of day explain.

One scheduler starts and stops them together; jitter of minutes hides at one time scale and shows at the next.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Ints, Population

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
    """Co-activity over its mean when each member is shifted by whole days (SynchroTrap, CCS 2014; shuffled null)."""
    member, minute = group.beats
    busy = np.bincount(member, minlength=group.size) >= MIN_BEATS
    keep = busy[member] if len(member) else np.zeros(0, np.bool_)
    member, minute = member[keep], minute[keep]
    days = max(int((population.end - population.start) // (86_400 * 10**6)) + 1, 1)
    if busy.sum() < 4 or days < 3:
        return None
    chance = np.random.default_rng(group.size)  # fixed by the sketch: same input, same bytes
    start = population.start // 60_000_000
    shifts = chance.integers(0, days, (SHUFFLES, group.size)) * 1_440
    best, best_scale = 0.0, 0
    for scale in SCALES_MIN:
        seen = _meetings(member, minute - start, scale)
        null = [_meetings(member, (minute - start + shift[member]) % (days * 1_440), scale) for shift in shifts]
        mean, spread = float(np.mean(null)), float(np.std(null)) + np.sqrt(np.mean(null) + 1)
        if (seen - mean) / spread >= Z_BAR:
            bits = float(np.log2((seen + 10) / (mean + 10)))
            best, best_scale = max((best, best_scale), (bits, scale))
    if best < 0.1:
        return None
    bits = clip(best, 0.0, CAP)
    because = f"members are active together {2**best:.1f} times as often as when shifted by days (at {best_scale} min)"
    return Finding(bits, because, group.cites, np.where(busy, bits, 0.0))


def _meetings(member: Ints, minute: Ints, scale: int) -> int:
    """Count pairs of members active in the same bin, from distinct (member, bin)."""
    pairs = np.unique((minute // scale) * (int(member.max()) + 1) + member)
    _, crowd = np.unique(pairs // (int(member.max()) + 1), return_counts=True)
    return int((crowd * (crowd - 1) // 2).sum())
