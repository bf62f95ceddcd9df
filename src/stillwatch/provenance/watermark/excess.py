"""How much more often a suspect writes each token behind its context than the teacher did before there was a mark.

To count every pair once, whatever its frequency, drowns what was learned: most of what is frequent is so in any text of
the kind. The provider holds text of its own model that is not marked, and against that the common part falls away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.provenance.watermark import marks
from stillwatch.provenance.watermark.marks import Array, Pairs, pairs_of

SPREAD = 0.1  # variance of the logarithm of how much oftener two models write a token, for reasons that no key has


@dataclass(frozen=True, slots=True)
class Excess:
    """Distinct pairs, and how far the suspect leans to each: (n,) weights that sum to nothing behind each context."""

    pairs: Pairs
    weights: Array


def excess(texts: Sequence[Array], reference: Sequence[Array], width: int, prompts: Sequence[Array] = ()) -> Excess:
    """Weigh the pairs of a suspect's texts against a reference; all texts are (n,) token ids.

    With n of N times behind a context in the suspect's text, m of M in the reference, and q of both together, a pair
    weighs (n / N − m / M) / (1 / N + 1 / M + SPREAD · q): its difference over its variance, which is the weight of the
    score test of "favoured tokens are written oftener by one factor". Where a text's own prompt holds a pair, the text
    does not count it. No key has a part in it, so under any key that the suspect did not learn from, who is favoured is
    as good as drawn afterwards.
    """
    told = list(prompts) or [np.empty(0, np.int64)] * len(texts)
    if len(told) != len(texts):
        raise ValueError(f"{len(told)} prompts for {len(texts)} texts")
    suspect = [
        marks.without(_rows(text, width), _rows(prompt, width)) for text, prompt in zip(texts, told, strict=True)
    ]
    ours, theirs = _stacked([_rows(text, width) for text in reference], width), _stacked(suspect, width)
    rows, at = np.unique(np.concatenate([theirs, ours]), axis=0, return_inverse=True)
    at = at.ravel()
    n = np.bincount(at[: len(theirs)], minlength=len(rows)).astype(float)
    m = np.bincount(at[len(theirs) :], minlength=len(rows)).astype(float)
    _, of = np.unique(rows[:, :-1], axis=0, return_inverse=True)
    of = of.ravel()
    totals, known = np.bincount(of, n)[of], np.bincount(of, m)[of]
    both = (totals > 0) & (known > 0)
    rows, n, m, totals, known, of = (each[both] for each in (rows, n, m, totals, known, of))
    shared = (n + m) / (totals + known)
    weights = (n / totals - m / known) / (1 / totals + 1 / known + SPREAD * shared)
    sizes = np.maximum(np.bincount(of), 1)
    weights = weights - (np.bincount(of, weights) / sizes)[of] if len(of) else weights
    return Excess(Pairs(rows[:, :-1], rows[:, -1]), weights)


def _rows(text: Array, width: int) -> Array:
    return marks.rows(pairs_of(text, width))


def _stacked(several: Sequence[Array], width: int) -> Array:
    return np.concatenate(several) if several else np.empty((0, width + 1), np.int64)
