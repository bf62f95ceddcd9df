"""Groups of accounts that crowd on the same few templates or identifiers, whatever else they do: FRAUDAR.

Hooi et al., "FRAUDAR: Bounding Graph Fraud in the Face of Camouflage", KDD 2016. Columns weigh 1/log(degree + 5), so
edges to popular columns hide nothing; the densest block is peeled greedily, removed, and the next one sought.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid
from stillwatch.lab.rivals.identifiers import values
from stillwatch.lab.rivals.links import degree
from stillwatch.lab.rivals.table import Codes, Table, once, read

LEAST = 3  # accounts of a block
DENSE = 0.5  # of the first block's density, down to which a block is accused; the paper leaves the number to the user


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """Density of the block that an account is in; blocks in the order they are found."""
    table = read(log)
    n = len(table.account)
    rows, columns = edges(table, setting["columns"], setting["prompts"])
    score, group = np.zeros(n), np.full(n, -1, np.int64)
    for block in range(setting["blocks"]):
        accounts, density = densest(rows, columns, n)
        if len(accounts) < LEAST:
            break
        score[accounts], group[accounts] = density, block
        stays = ~np.isin(rows, accounts)
        rows, columns = rows[stays], columns[stays]
    dense = score >= DENSE * max(float(score.max(initial=0.0)), 1e-9)
    return table.ranking(
        score, dense & (group >= 0), group, f"one of the {setting['blocks']} densest blocks of accounts"
    )


def edges(table: Table, columns: str, prompts: int) -> tuple[Codes, Codes]:
    """The bipartite graph: accounts, and the templates that they fill so often, or identifiers."""
    parts = [_filled(table, prompts)] if columns in ("template", "both") else []
    if columns in ("identifier", "both"):
        parts += values(table, "all")
    first, rows, places = 0, [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for row, column in parts:
        seen, place = np.unique(column, return_inverse=True)
        rows.append(row)
        places.append(place + first)
        first += len(seen)
    return np.concatenate(rows), np.concatenate(places)


def _filled(table: Table, prompts: int) -> tuple[Codes, Codes]:
    there = table.template >= 0
    rows, templates, times = once(table.who[there], table.template[there])
    return rows[times >= prompts], templates[times >= prompts]


def densest(rows: Codes, columns: Codes, n: int) -> tuple[Codes, float]:
    """Accounts of the block of greatest average suspiciousness met while the least suspicious node is peeled."""
    if not len(rows):
        return np.zeros(0, np.int64), 0.0
    _, place, times = np.unique(columns, return_inverse=True, return_counts=True)
    weight = (1.0 / np.log(times + 5.0))[place]
    left, right = rows, place + n
    nodes = n + len(times)
    load = degree(nodes, left, right, weight)
    alive = load > 0
    removed, best, density = _peel(load, _neighbours(left, right, weight, nodes), alive, float(weight.sum()))
    kept = alive.copy()
    kept[removed[:best]] = False
    return np.flatnonzero(kept[:n]), density


def _neighbours(left: Codes, right: Codes, weight: NDArray[np.float64], nodes: int) -> list[list[tuple[int, float]]]:
    near: list[list[tuple[int, float]]] = [[] for _ in range(nodes)]
    for one, other, amount in zip(left.tolist(), right.tolist(), weight.tolist(), strict=True):
        near[one].append((other, amount))
        near[other].append((one, amount))
    return near


def _peel(
    load: NDArray[np.float64], near: list[list[tuple[int, float]]], alive: NDArray[np.bool_], total: float
) -> tuple[list[int], int, float]:
    """Nodes in the order of their removal, how many to remove for the densest rest, and its density."""
    left = load.tolist()
    there = alive.tolist()
    heap = [(left[node], node) for node in np.flatnonzero(alive).tolist()]
    heapq.heapify(heap)
    count, removed, best, density = len(heap), [], 0, total / max(1, len(heap))
    while heap:
        amount, node = heapq.heappop(heap)
        if not there[node] or amount != left[node]:
            continue
        there[node] = False
        removed.append(node)
        for other, weight in near[node]:
            if there[other]:
                total -= weight
                left[other] -= weight
                heapq.heappush(heap, (left[other], other))
        count -= 1
        if count and total / count > density:
            best, density = len(removed), total / count
    return removed, best, density


RIVAL = Rival(
    "fraudar",
    "FRAUDAR, KDD 2016",
    "port",
    grid(columns=("template", "identifier", "both"), prompts=(1, 5), blocks=(5, 20, 60)),
    rank,
    "target = masked shingle signature of the prompt or an identifier",
)
