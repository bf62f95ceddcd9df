"""Which prompts a query-distribution detector reads together: those of an account, or those that share a template."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from stillwatch.lab.rivals.embedding import MOST, Queries, Vectors
from stillwatch.lab.rivals.table import Codes

SHARE = 0.1  # of an account's prompts, from which on a pool's score is also the account's


def score_streams(
    queries: Queries, accounts: int, pooled: bool, measure: Callable[[Vectors], float]
) -> tuple[NDArray[np.float64], Codes]:
    """The score of each account, and its pool: the worst of those it takes part in (-1: per account)."""
    score, group = np.zeros(accounts), np.full(accounts, -1, np.int64)
    sent = np.bincount(queries.who, minlength=accounts)
    for name, rows in _streams(queries.template if pooled else queries.who):
        value = measure(queries.vector[rows[:MOST]])
        members, times = np.unique(queries.who[rows], return_counts=True)
        members = members[times >= SHARE * sent[members]] if pooled else members
        worse = members[value > score[members]]
        score[worse] = value
        if pooled and len(members) > 1:
            group[worse] = name
    return score, group


def _streams(column: Codes) -> Iterator[tuple[int, Codes]]:
    """The rows of each value, in order of time."""
    order = np.argsort(column, kind="stable")
    values, first = np.unique(column[order], return_index=True)
    for value, rows in zip(values.tolist(), np.split(order, first[1:])[: len(values)], strict=True):
        if value >= 0:
            yield value, rows
