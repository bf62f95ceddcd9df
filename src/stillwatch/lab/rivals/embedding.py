"""Prompts as vectors without a model's weights: hashed words and word pairs, reduced by an SVD of benign prompts.

It stands where the published detectors use a sentence encoder; what it knows of meaning is shared words only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stillwatch.lab.rivals.base import Log, optional
from stillwatch.lab.rivals.table import Codes, read

SEED = 7
COLUMNS, SIZE = 1 << 14, 64
CHARACTERS = 300  # of a prompt
MOST = 1_500  # prompts of an account: the window of arXiv 2606.05725
FITTED = 6_000  # benign prompts
_WORD = r"[぀-ヿ㐀-鿿]|\w+"  # a CJK character is a word

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Embedding:
    """A fitted reduction."""

    reduce: Any

    def vectors(self, prompts: list[str]) -> Vectors:
        """Unit vectors of some prompts."""
        if not prompts:
            return np.zeros((0, SIZE), np.float32)
        found = self.reduce.transform(_hashed(prompts)).astype(np.float32)
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.maximum(length, 1e-6), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Queries:
    """The first prompts of each account as vectors, in order of time."""

    who: Codes
    template: Codes
    vector: Vectors


def fit(log: Log, innocent: NDArray[np.bool_]) -> Embedding:
    """Fitted on prompts of innocent accounts of a tuning replay."""
    decomposition = optional("sklearn.decomposition", "scikit-learn>=1.5,<2")
    table = read(log)
    rows = np.flatnonzero(innocent[table.who])
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.choice(rows, min(FITTED, len(rows)), replace=False))
    reduce = decomposition.TruncatedSVD(SIZE, n_iter=3, random_state=SEED)
    return Embedding(reduce.fit(_hashed(_prompts(log, table.order[chosen]))))


def queries(log: Log, embedding: Embedding) -> Queries:
    """The vectors of a log; the last ones are kept."""
    return _queries(log, embedding, (log.folder / "exchanges.parquet").stat().st_mtime_ns)


@lru_cache(maxsize=3)
def _queries(log: Log, embedding: Embedding, _stamp: int) -> Queries:
    table = read(log)
    turn = _turn(table.who)
    rows = np.flatnonzero(turn < MOST)
    vectors = embedding.vectors(_prompts(log, table.order[rows]))
    return Queries(table.who[rows], table.template[rows], vectors)


def _turn(who: Codes) -> Codes:
    """The how-manieth exchange of its account each one is."""
    order = np.argsort(who, kind="stable")
    ranked = who[order]
    first = np.searchsorted(ranked, ranked)
    turn = np.empty(len(who), np.int64)
    turn[order] = np.arange(len(who)) - first
    return turn


def _prompts(log: Log, rows: Codes) -> list[str]:
    column = pq.read_table(log.folder / "exchanges.parquet", columns=["prompt"])["prompt"]
    return [(text or "")[:CHARACTERS] for text in column.take(rows).to_pylist()]


def _hashed(prompts: list[str]) -> Any:
    text = optional("sklearn.feature_extraction.text", "scikit-learn>=1.5,<2")
    hasher = text.HashingVectorizer(n_features=COLUMNS, ngram_range=(1, 2), token_pattern=_WORD, alternate_sign=False)
    return hasher.transform(prompts)
