"""Accounts created to replace banned ones.

A pool refills after enforcement; customers do not sign up because strangers were suspended.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import DAY_US, NEVER, Population

WINDOW_US = 2 * DAY_US
MIN_STOPPED = 3
CAP = 4.0


@signal(
    "replacement-after-ban",
    axis=Axis.COORDINATION,
    family=Family.IDENTITY,
    needs=("created_at", "suspended_at"),
    runbook="Lay signups of members against the dates of enforcement.",
)
def replacement_after_ban(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members were created within two days of a member's suspension, against all accounts."""
    suspended = population.suspended_at[group.accounts]
    bans = np.unique(suspended[suspended != NEVER] // DAY_US) * DAY_US
    if (suspended != NEVER).sum() < MIN_STOPPED:
        return None
    created = population.created_at
    hit = np.zeros(population.size, np.bool_)
    for ban in bans:
        hit |= (created != NEVER) & (created > ban) & (created <= ban + WINDOW_US + DAY_US)
    inside = hit[group.accounts]
    outside = (hit.sum() - inside.sum()) / max(population.size - group.size, 1)
    taken = int(inside.sum())
    if taken < MIN_STOPPED:
        return None
    bits = clip(float(np.log2((inside.mean() + 0.01) / (outside + 0.01))), 0.0, CAP)
    because = f"{taken} members were created within 2 days of a suspension among them"
    return Finding(bits, because, (), np.where(inside | (suspended != NEVER), bits, 0.0)) if bits > 0.1 else None
