"""Accounts that are used from the same addresses: EvilCohort's weighted projection and Louvain communities.

Stringhini et al., "EVILCOHORT: Detecting Communities of Malicious Accounts on Online Services", USENIX Security 2015.
It needs only which account used which address, so one address for each account blinds it.
"""

from __future__ import annotations

import networkit as nk
import numpy as np

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid
from stillwatch.lab.rivals.links import common, degree, incidence, strangers
from stillwatch.lab.rivals.table import Codes, read


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """Weighted degree inside the Louvain community of the account-account projection."""
    table = read(log)
    n = len(table.account)
    left, right, shared = common(incidence(*table.pairs(table.value["ip"]), n))
    kept = shared >= setting["shared"]
    if setting["orgs"] == "apart":
        kept &= strangers(table, left, right)
    left, right, shared = left[kept], right[kept], shared[kept]
    community = louvain(n, left, right, shared)
    inside = community[left] == community[right]
    score = degree(n, left[inside], right[inside], shared[inside])
    size = np.bincount(community, minlength=1)[community] if n else community
    group = np.where(size > 1, community, -1)
    return table.ranking(score, size >= setting["least"], group, "a community of accounts with addresses in common")


def louvain(n: int, left: Codes, right: Codes, weight: np.ndarray) -> Codes:
    """Communities of a weighted graph; one thread and a fixed seed, so that the answer is the same each time."""
    graph = nk.Graph(n, weighted=True)
    for one, other, amount in zip(left.tolist(), right.tolist(), weight.tolist(), strict=True):
        graph.addEdge(one, other, amount)
    if not graph.numberOfEdges():
        return np.arange(n)
    threads = nk.getMaxNumberOfThreads()
    try:
        nk.setNumberOfThreads(1)
        nk.setSeed(7, False)
        found = nk.community.PLM(graph, refine=True).run().getPartition()
    finally:
        nk.setNumberOfThreads(threads)
    return np.unique(np.asarray(found.getVector(), dtype=np.int64), return_inverse=True)[1].astype(np.int64)


RIVAL = Rival(
    "evilcohort",
    "EvilCohort, USENIX Security 2015; Louvain by networkit",
    "port",
    grid(shared=(1, 2, 3, 5), orgs=("count", "apart"), least=(3, 10)),
    rank,
    "no filter by browser or by activity pattern after clustering",
)
