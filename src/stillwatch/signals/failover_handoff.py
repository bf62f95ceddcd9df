"""Accounts that take over a workload within hours of others being blocked.

A relay that loses its accounts moves the queue to the next ones; customers do not inherit each other's work.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import DAY_US, HOUR_US, NEVER, Ints, Population

WINDOW_US = 2 * HOUR_US
MIN_STOPPED = 3
REFUSALS = 2
CAP = 5.0


@signal(
    "failover-handoff",
    axis=Axis.COORDINATION,
    family=Family.TIMING,
    needs=("status|suspended_at",),
    runbook="Compare the accounts that started in the hour after the block with those that it stopped.",
)
def failover_handoff(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members start right after others of them were stopped, over their usual rate of starting."""
    stopped_at = stops(group, population)
    stopped = stopped_at != NEVER
    if stopped.sum() < MIN_STOPPED:
        return None
    starts = group.sums["first_ts"]
    blocks = np.unique(stopped_at[stopped] // HOUR_US) * HOUR_US
    after = np.zeros(group.size, np.bool_)
    for block in blocks:
        after |= (starts > block) & (starts <= block + HOUR_US + WINDOW_US)
    after &= ~stopped | (starts > stopped_at)
    covered = len(blocks) * (HOUR_US + WINDOW_US)
    span = max(population.end - population.start, DAY_US)
    everyone = population.usage["first_ts"]
    usual = group.size * max(min(covered / span, 1.0), _share_starting(everyone, blocks))
    taken = int(after.sum())
    if taken < MIN_STOPPED or taken < 2 * usual:
        return None
    bits = clip(float(np.log2((taken + 0.5) / (usual + 0.5))), 0.0, CAP)
    because = f"{taken} members started within 3 hours of blocks that stopped {int(stopped.sum())}; chance: {usual:.1f}"
    return Finding(bits, because, group.cites, np.where(after | stopped, bits, 0.0))


def stops(group: GroupSketch, population: Population) -> Ints:
    """Return when each member was stopped for good: suspended, or refused and silent within the hour; else NEVER.

    One refusal is a rate limit that anyone meets; an account that was stopped is refused again and says nothing more.
    """
    refused = population.usage["first_denied"][group.accounts]
    again = population.usage["denied"][group.accounts] >= REFUSALS
    suspended = population.suspended_at[group.accounts]
    last = np.maximum(group.sums["last_ts"], population.usage["last_ts"][group.accounts])
    silent = again & (refused != NEVER) & (last <= refused + HOUR_US) & (last < population.end - DAY_US // 4)
    return np.where(suspended != NEVER, suspended, np.where(silent, refused, NEVER))


def _share_starting(starts: Ints, blocks: Ints) -> float:
    hit = np.zeros(len(starts), np.bool_)
    for block in blocks:
        hit |= (starts > block) & (starts <= block + HOUR_US + WINDOW_US)
    return float(hit.mean())
