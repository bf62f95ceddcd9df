"""Workloads: which templates one owner's script fills, and which accounts run it.

The pool that runs accounts and the owner of a workload are two things: one pool may serve three owners. So templates
are merged by what they ask and how they are scheduled, and never just because the same accounts fill them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from stillwatch.sketch.groups import GroupSketch, Membership
from stillwatch.sketch.population import Ints, Population

MIN_ACCOUNTS = 3
MIN_EXCHANGES = 30
MIN_OVERLAP = 0.4  # common accounts over all (Jaccard), for two frames to be considered one workload's
CONTAINED = 0.9  # of the smaller one's accounts: a paraphrase that a part of the pool uses
ALIKE = 0.55  # similarity from which two frames of the same accounts are one workload's
SAME = 0.9  # common accounts over all, for two frames to keep to the same accounts
PART = 0.7  # of a pool: more is what any two owners of it have in common
MET = 20  # hours in which an account worked at both frames, for their interleaving to be judged
INTERLEAVED = 2.5  # times as many such hours as with one frame shifted by days


def group_by_frame(population: Population, pools: Ints) -> Membership:
    """Return a group for each frame that several accounts fill, then one a pool for what its accounts fill alone."""
    atoms = population.atoms
    exchanges = atoms.sums["exchanges"]
    _, code = np.unique(atoms.frame, return_inverse=True)
    accounts = np.bincount(code)
    shared = ((accounts >= MIN_ACCOUNTS) & (np.bincount(code, exchanges) >= MIN_EXCHANGES))[code]
    pool = pools[atoms.account]
    alone = ~shared & (pool >= 0) & (accounts[code] < MIN_ACCOUNTS)
    group = np.where(shared, code, code.max(initial=0) + 1 + pool)
    chosen = shared | alone
    return Membership(group[chosen], atoms.account[chosen], atoms.frame[chosen], exchanges[chosen])


def merge_workloads(groups: Sequence[GroupSketch], membership: Membership, pools: Ints) -> Membership:
    """Merge the given groups where one scheduler runs them: the same accounts, skill, settings and days.

    Where skills differ, one scheduler still shows: accounts turn to both frames in the same hours, or both frames keep
    to one and the same part of a pool. Only suspicious groups should be given: people's everyday phrases overlap in
    everything. The others keep their own number; merged groups take the lowest of theirs.
    """
    if not groups:
        return membership
    parent = np.arange(len(groups))
    for left, right in _candidates(groups):
        if _one_scheduler(groups[left], groups[right], pools):
            low, high = sorted((_root(parent, left), _root(parent, right)))
            parent[high] = low
    numbers = np.array([group.group for group in groups])
    root = numbers[[_root(parent, index) for index in range(len(groups))]]
    known = np.isin(membership.group, numbers)
    merged = membership.group.copy()
    merged[known] = root[np.searchsorted(numbers, membership.group[known])]
    return Membership(merged, membership.account, membership.frame, membership.exchanges)


def _root(parent: npt.NDArray[np.int64], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = int(parent[index])
    return index


def _candidates(groups: Sequence[GroupSketch]) -> list[tuple[int, int]]:
    """Pairs of groups that overlap in accounts, through the bipartite graph of groups and accounts.

    One scheduler deals its frames to all its accounts; frames on accounts of their own are another owner's, even where
    one pool runs them all.
    """
    sizes = np.array([group.size for group in groups])
    row = np.repeat(np.arange(len(groups)), sizes)
    account = np.concatenate([group.accounts for group in groups])
    incidence = sp.csr_matrix((np.ones(len(row)), (row, account)))
    common = sp.triu(incidence @ incidence.T, k=1).tocoo()
    either = sizes[common.row] + sizes[common.col] - common.data
    smaller = np.minimum(sizes[common.row], sizes[common.col])
    enough = (common.data >= MIN_OVERLAP * either) | (common.data >= CONTAINED * smaller)
    return sorted(zip(common.row[enough].tolist(), common.col[enough].tolist(), strict=True))


def _one_scheduler(one: GroupSketch, other: GroupSketch, pools: Ints) -> bool:
    return _similarity(one, other) >= ALIKE or _same_part(one, other, pools) or _interleaved(one, other)


def _same_part(one: GroupSketch, other: GroupSketch, pools: Ints) -> bool:
    """Whether both keep, with one client setting, to the same accounts out of a pool that has many more."""
    either = np.union1d(one.accounts, other.accounts)
    if one.size + other.size - len(either) < SAME * len(either):
        return False
    pool, members = np.unique(pools[either], return_counts=True)
    home = pool[members.argmax()]
    part = home >= 0 and len(either) <= PART * int((pools == home).sum())
    return bool(part) and _overlap(dict(one.settings), dict(other.settings)) >= ALIKE


def _similarity(one: GroupSketch, other: GroupSketch) -> float:
    """Mean overlap (sum of minima) of the shares of capabilities, settings and days; 1 is one script."""
    parts = [
        _overlap(dict(enumerate(one.capability.tolist())), dict(enumerate(other.capability.tolist()))),
        _overlap(dict(one.settings), dict(other.settings)),
        _overlap(_by_day(one), _by_day(other)),
    ]
    return float(np.mean(parts)) if min(parts) > 0.1 else 0.0


def _interleaved(one: GroupSketch, other: GroupSketch) -> bool:
    """Whether accounts turn to both frames in the same hours far more often than with one shifted by one to six days.

    One dispatcher hands an account its next task whatever the skill; two owners of a pool do not wait for each other.
    """
    hours, others = (_account_hours(group) for group in (one, other))
    met = len(np.intersect1d(hours, others, assume_unique=True))
    if met < MET:
        return False
    shifted = [
        len(np.intersect1d(hours, others + 24 * days, assume_unique=True)) for days in (*range(-6, 0), *range(1, 7))
    ]
    return met >= INTERLEAVED * max(float(np.mean(shifted)), 1.0)


def _account_hours(group: GroupSketch) -> Ints:
    """Distinct hours in which sampled members were active, each as account x 2^24 + hour since 1970."""
    member, minute = group.beats
    return np.unique(group.accounts[member] * (1 << 24) + minute // 60)


def _by_day(group: GroupSketch) -> dict[int, int]:
    days: dict[int, int] = {}
    for (_, day), count in group.days.items():
        days[day] = days.get(day, 0) + count
    return days


Name = TypeVar("Name", int, str)


def _overlap(one: dict[Name, int], other: dict[Name, int]) -> float:
    total_one, total_other = sum(one.values()), sum(other.values())
    if not total_one or not total_other:
        return 0.0
    return float(sum(min(one[k] / total_one, other[k] / total_other) for k in one.keys() & other.keys()))
