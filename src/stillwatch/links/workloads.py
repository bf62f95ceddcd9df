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


def merge_workloads(groups: Sequence[GroupSketch], membership: Membership) -> Membership:
    """Merge the given groups where one scheduler runs them: the same accounts, skill, settings and days.

    Only suspicious groups should be given: people's everyday phrases overlap in everything. The others keep their own
    number; merged groups take the lowest of theirs.
    """
    if not groups:
        return membership
    parent = np.arange(len(groups))
    for left, right in _candidates(groups):
        if _similarity(groups[left], groups[right]) >= ALIKE:
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


def _similarity(one: GroupSketch, other: GroupSketch) -> float:
    """Mean overlap (sum of minima) of the shares of capabilities, settings and days; 1 is one script."""
    parts = [
        _overlap(dict(enumerate(one.capability.tolist())), dict(enumerate(other.capability.tolist()))),
        _overlap(dict(one.settings), dict(other.settings)),
        _overlap(_by_day(one), _by_day(other)),
    ]
    return float(np.mean(parts)) if min(parts) > 0.1 else 0.0


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
