"""Accounts merged by any payment, organisation, /24 or TLS fingerprint: the cluster rules of Glasswally, as audited.

The merge has no cap on how many accounts may share a value, its timing rule counts the whole platform's accounts in one
second, and access from one country raises a score by 30 %. They are kept as they are, to measure their effect.
"""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid
from stillwatch.lab.rivals.links import components
from stillwatch.lab.rivals.table import Codes, Table, encode, once, read

HYDRA, TIMING = 0.11, 0.09  # weights of the two workers that look across accounts, of 1.0 over all workers
UPLIFT, BONUS, LARGE = 1.30, 0.08, 5
BURST, STRONG, LOOKBACK, RECURRING = 5, 12, 300, 3


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """The two workers' scores, weighted, raised for the country and for a large cluster."""
    table = read(log)
    n = len(table.account)
    group, size = clusters(table)
    hydra, certain = cluster_scores(table, group, size)
    burst, bursting = burst_scores(table)
    total = HYDRA * hydra * (0.4 + 0.6 * certain) + TIMING * burst * (0.4 + 0.6 * bursting)
    total /= HYDRA + TIMING
    raised = np.zeros(n, bool)
    raised[table.who[in_country(log, table, "CN")]] = True
    total = np.minimum(np.where(raised, total * UPLIFT, total), 1.0)
    total = np.where(size >= LARGE, np.minimum(total + BONUS, 1.0), total)
    return table.ranking(total, total >= setting["tier"], group, "merged by payment, organisation, /24 or fingerprint")


def clusters(table: Table) -> tuple[Codes, Codes]:
    """Connected components over the four kinds of value; a cluster needs three accounts."""
    n = len(table.account)
    left, right, first = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], n
    accounts = np.arange(n)
    parts = [(accounts, table.identity[name]) for name in ("payment_fingerprint", "org_id")]
    parts += [table.pairs(table.value[name]) for name in ("subnet", "tls_fingerprint")]
    for rows, column in parts:
        there = column >= 0
        left.append(rows[there])
        right.append(column[there] + first)
        first += int(column.max(initial=-1)) + 1
    label = components(first, np.concatenate(left), np.concatenate(right))[0][:n]
    size = np.bincount(label[label >= 0], minlength=1)[np.maximum(label, 0)] if n else label
    size = np.where(label >= 0, size, 1)
    return np.where(size >= 3, label, -1), size


def cluster_scores(table: Table, group: Codes, size: Codes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Size, number of payments and of /24 networks of a cluster; certain from 100 exchanges on."""
    n = len(table.account)
    payments = _distinct(group, np.arange(n), table.identity["payment_fingerprint"])
    nets = _distinct(group, *table.pairs(table.value["subnet"]))
    sent = np.bincount(table.who, minlength=n)
    whole = np.bincount(group[group >= 0], sent[group >= 0], minlength=1)
    score = 0.40 * np.minimum(size / 25, 1) + np.minimum(0.07 * payments, 0.35) + np.minimum(0.03 * nets, 0.15)
    total = whole[np.maximum(group, 0)] if n else np.zeros(0)
    certain = np.minimum(total / 100, 1.0)
    return np.where(group >= 0, np.minimum(score, 1.0), 0.0), np.where(group >= 0, certain, 0.2)


def burst_scores(table: Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The worst second of each account: how many accounts of the whole platform it holds, and how many came before."""
    n = len(table.account)
    if not n:
        return np.zeros(0), np.zeros(0)
    second, who, _ = once(table.ts // 1_000_000, table.who)
    seconds, place, crowd = np.unique(second, return_inverse=True, return_counts=True)
    bursts = seconds[crowd >= BURST]
    before = np.searchsorted(bursts, seconds) - np.searchsorted(bursts, seconds - LOOKBACK)
    score = np.minimum(0.5 * (crowd - BURST) / (STRONG - BURST), 0.5) + 0.30 * (before >= RECURRING)
    score = np.where(crowd >= BURST, score, 0.0)
    worst, sure = np.zeros(n), np.zeros(n)
    np.maximum.at(worst, who, score[place])
    np.maximum.at(sure, who, np.where(crowd >= BURST, np.minimum(crowd / STRONG, 1.0), 0.0)[place])
    return worst, sure


def in_country(log: Log, table: Table, country: str) -> NDArray[np.bool_]:
    """Exchanges whose address is in a country."""
    names = encode(pq.read_table(log.folder / "exchanges.parquet", columns=["country"])["country"])[1]
    return table.value["country"] == (names.index(country) if country in names else -2)


def _distinct(group: Codes, rows: Codes, column: Codes) -> NDArray[np.int64]:
    """How many values the group of each account has."""
    there = (column >= 0) & (group[rows] >= 0)
    pairs = np.unique(np.stack([group[rows][there], column[there]]), axis=1)
    counts = np.bincount(pairs[0], minlength=int(group.max(initial=0)) + 1)
    return np.where(group >= 0, counts[np.maximum(group, 0)], 0).astype(np.int64)


RIVAL = Rival(
    "glasswally",
    "Glasswally (MIT), state/window.rs, hydra.rs, timing_cluster.rs and fusion.rs, as audited",
    "port",
    grid(tier=(0.35, 0.55, 0.72)),
    rank,
    "two of its workers, their weights scaled to one; its other workers read single accounts or the wire",
)
