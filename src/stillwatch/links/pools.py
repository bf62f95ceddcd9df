"""Pools: accounts that one operator runs, whatever they are used for.

Accounts and the values of their identity and infrastructure are one bipartite graph, weighted in bits by rarity; its
communities are pools. Pairs of accounts are never listed, so the cost grows with the edges.
"""

from __future__ import annotations

import networkit as nk
import numpy as np

from stillwatch.sketch.population import Ints, Population

RELIABILITY = {"payment_fingerprint": 1.0, "phone_hash": 1.0, "signup_ip": 0.7, "ip": 0.6, "email_domain": 0.4}
MIN_BITS = 3.0  # a value that an eighth of all accounts show ties nobody
MIN_ACCOUNTS = 3
SEED = 7  # communities are a heuristic; the same graph must give the same ones


def find_pools(population: Population) -> Ints:
    """Return the pool of each account, -1 for none (Leiden communities, Traag et al. 2019, by networkit)."""
    nodes, weights, total = [], [], population.size
    for kind, reliability in RELIABILITY.items():
        if kind not in population.edges:
            continue
        edges = population.edges[kind]
        bits = np.log2(population.size / np.maximum(edges.degree, 1))
        useful = (edges.degree[edges.value] >= 2) & (bits[edges.value] >= MIN_BITS)
        nodes.append(np.stack([edges.account[useful], total + edges.value[useful]]))
        weights.append(reliability * bits[edges.value[useful]])
        total += len(edges.degree)
    pools = np.full(population.size, -1, np.int64)
    if not nodes or not sum(part.shape[1] for part in nodes):
        return pools
    ends = np.concatenate(nodes, axis=1)
    used, compact = np.unique(ends, return_inverse=True)
    compact = compact.reshape(ends.shape)
    nk.setSeed(SEED, False)
    nk.setNumberOfThreads(1)  # one thread: the result must not depend on a race
    graph = nk.GraphFromCoo((np.concatenate(weights), (compact[0], compact[1])), n=len(used), weighted=True)
    leiden = nk.community.ParallelLeiden(graph, randomize=False)
    leiden.run()
    found = np.array(leiden.getPartition().getVector())
    accounts = used < population.size
    label, size = np.unique(found[accounts], return_counts=True)
    crowd = size[np.searchsorted(label, found[accounts])] >= MIN_ACCOUNTS
    pools[used[accounts][crowd]] = found[accounts][crowd]
    return pools
