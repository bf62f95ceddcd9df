"""Keys that come from the same addresses and open their prompts alike: the cluster rule of AegisGate, as audited.

Similarity of two keys = half the overlap of their addresses + half the overlap of their templates, a template being
the first 50 characters without digits; above 0.7 they are linked, and three keys make a cluster. Without an address in
common the similarity is 0.5 at most, so only the pairs that share an address are compared: the answer is the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid
from stillwatch.lab.rivals.links import common, components, degree, incidence
from stillwatch.lab.rivals.table import Codes, once, openings, read

LINKED = 0.7
LEAST = 3  # keys of a cluster


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """An account is as suspicious as the most strongly linked of its keys."""
    table = read(log)
    n = len(table.account)
    key = np.where(table.value["api_key_id"] >= 0, table.value["api_key_id"] + n, table.who)
    keys, which = np.unique(key, return_inverse=True)
    owner = np.zeros(len(keys), np.int64)
    owner[which] = table.who
    address, opening = _once(which, table.value["ip"]), _once(which, openings(log, setting["reads"]))
    left, right, addresses = common(incidence(*address, len(keys)))
    alike = 0.5 * _overlap(address[0], left, right, addresses, setting["overlap"])
    together = incidence(*opening, len(keys))
    templates = np.asarray(together[left].multiply(together[right]).sum(axis=1)).ravel() if len(left) else addresses
    alike += 0.5 * _overlap(opening[0], left, right, templates, setting["overlap"])
    kept = alike > LINKED
    label, size = components(len(keys), left[kept], right[kept])
    strength = np.where(size >= LEAST, degree(len(keys), left[kept], right[kept], alike[kept]), 0.0)
    score, group = np.zeros(n), np.full(n, -1, np.int64)
    np.maximum.at(score, owner, strength)
    np.maximum.at(group, owner, np.where(size >= LEAST, label, -1))
    return table.ranking(score, score > 0, group, "three or more keys with their addresses and openings in common")


def _once(rows: Codes, column: Codes) -> tuple[Codes, Codes]:
    there = column >= 0
    keys, values, _ = once(rows[there], column[there])
    return keys, values


def _overlap(rows: Codes, left: Codes, right: Codes, both: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """What two sets have in common, of their union (Jaccard) or of the smaller one."""
    size = np.bincount(rows, minlength=int(max(left.max(initial=0), right.max(initial=0))) + 1)
    one, other = size[left], size[right]
    whole = one + other - both if kind == "jaccard" else np.minimum(one, other)
    return both / np.maximum(whole, 1)


RIVAL = Rival(
    "aegisgate",
    "AegisGate Platform, distillation_detect.go (Apache-2.0), rule as audited",
    "port",
    grid(reads=("prompt", "request"), overlap=("jaccard", "smaller")),
    rank,
    "both readings of 'overlap' are tried; clusters by single linkage; its list of cloud addresses is left out",
)
