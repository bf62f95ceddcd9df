"""From links between accounts to a ranking of them: single linkage, and how strongly each account is linked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from stillwatch.lab.rivals.base import Ranking
from stillwatch.lab.rivals.table import Codes, Table

ROWS = 2_048  # accounts compared with all others at a time


def incidence(rows: Codes, columns: Codes, accounts: int) -> sparse.csr_matrix:
    """Accounts by values, one where an account has a value; values that one account alone has are left out."""
    values, place, times = np.unique(columns, return_inverse=True, return_counts=True)
    shared = times[place] > 1
    ones = np.ones(int(shared.sum()), np.float32)
    return sparse.csr_matrix((ones, (rows[shared], place[shared])), shape=(accounts, max(1, len(values))))


def common(matrix: sparse.csr_matrix) -> tuple[Codes, Codes, NDArray[np.float64]]:
    """Pairs of accounts (left < right) with a value in common, and how many; through the values, never all pairs."""
    lefts, rights, counts = [], [], []
    turned = matrix.T.tocsr()
    for first in range(0, matrix.shape[0], ROWS):
        part = (matrix[first : first + ROWS] @ turned).tocoo()
        left = part.row.astype(np.int64) + first
        upper = left < part.col
        lefts.append(left[upper])
        rights.append(part.col[upper].astype(np.int64))
        counts.append(part.data[upper].astype(np.float64))
    if not lefts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(counts)


def components(accounts: int, left: Codes, right: Codes) -> tuple[Codes, Codes]:
    """The group of each account by single linkage (-1: alone), and its size."""
    if not accounts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    graph = sparse.coo_matrix((np.ones(len(left), bool), (left, right)), shape=(accounts, accounts))
    _, label = csgraph.connected_components(graph, directed=False)
    size = np.bincount(label)[label]
    return np.where(size > 1, label, -1).astype(np.int64), size.astype(np.int64)


def strangers(table: Table, left: Codes, right: Codes) -> NDArray[np.bool_]:
    """Which pairs are not of one declared organisation."""
    org = table.identity["org_id"]
    return (org[left] < 0) | (org[left] != org[right])


def degree(accounts: int, left: Codes, right: Codes, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of the weights of an account's links."""
    found = np.bincount(left, weight, accounts) + np.bincount(right, weight, accounts)
    return found.astype(np.float64)


def rank_linked(table: Table, pairs: tuple[Codes, Codes], weight: NDArray[np.float64], least: int, why: str) -> Ranking:
    """Accounts by how strongly they are linked; those in groups of at least so many are accused."""
    n = len(table.account)
    group, size = components(n, *pairs)
    return table.ranking(degree(n, *pairs, weight), size >= least, group, why)
