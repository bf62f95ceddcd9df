"""Accounts joined by any identifier in common: connected components, with a cap on how many may share a value."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid
from stillwatch.lab.rivals.links import components
from stillwatch.lab.rivals.table import Codes, Table, read

PAID = ("payment_fingerprint", "phone_hash")
SIGNED = (*PAID, "signup_ip")
LEAST = 3  # accounts of a group that is accused


def values(table: Table, columns: str) -> list[tuple[Codes, Codes]]:
    """(account, value) pairs of each identifier."""
    names = PAID if columns == "paid" else SIGNED
    rows = np.arange(len(table.account))
    found = [(rows[table.identity[name] >= 0], table.identity[name][table.identity[name] >= 0]) for name in names]
    return [*found, table.pairs(table.value["ip"])] if columns == "all" else found


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """Size of the connected component; values of more accounts than the cap join nobody."""
    table = read(log)
    n = len(table.account)
    left, right, first = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], n
    for rows, column in values(table, setting["columns"]):
        place, times = np.unique(column, return_inverse=True, return_counts=True)[1:]
        joins = (times[place] > 1) & (times[place] <= (setting["cap"] or n))
        left.append(rows[joins])
        right.append(place[joins] + first)
        first += len(times)
    group = components(first, np.concatenate(left), np.concatenate(right))[0][:n]
    size = _size(group, table.identity["org_id"] if setting["orgs"] == "apart" else np.full(n, -1))
    return table.ranking(
        size.astype(np.float64) - 1.0, size >= LEAST, group, f"{LEAST} or more accounts joined by shared identifiers"
    )


def _size(group: Codes, org: Codes) -> Codes:
    """How many accounts the group of each account has, those of one organisation counted once."""
    unit = np.where(org >= 0, org, np.arange(len(org)) + int(org.max(initial=-1)) + 1)
    there = group >= 0
    pairs = np.unique(np.stack([group[there], unit[there]]), axis=1)
    counts = np.bincount(pairs[0], minlength=int(group.max(initial=0)) + 1)
    return np.where(there, counts[np.maximum(group, 0)], 1).astype(np.int64)


RIVAL = Rival(
    "identifiers",
    "connected components over shared identifiers; degree cap 40 as in clearbranch/openbotrisk (MIT)",
    "baseline",
    grid(columns=("paid", "signed", "all"), cap=(0, 40, 10, 5), orgs=("count", "apart")),
    rank,
)
