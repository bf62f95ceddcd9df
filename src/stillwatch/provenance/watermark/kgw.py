"""KGW (Kirchenbauer et al., ICML 2023) as transformers implements it: the same lists, bit for bit.

transformers' `lefthash` takes one token of context whatever `context_width` says, so this scheme has a width of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stillwatch.provenance.watermark.marks import Array
from stillwatch.provenance.watermark.needed import needed


class Kgw:
    """KGW `lefthash` under one key of up to 40 bits. Lists are computed when first asked for, and kept."""

    width = 1

    def __init__(self, key: int, vocabulary: int, gamma: float = 0.25) -> None:
        torch = needed("torch")
        self.gamma, self._vocabulary, self._key = gamma, vocabulary, key
        processor = needed("transformers.generation.logits_process").WatermarkLogitsProcessor
        self._lists = processor(vocabulary, "cpu", greenlist_ratio=gamma, hashing_key=key, seeding_scheme="lefthash")
        self._as_tensor: Callable[[int], Any] = lambda token: torch.tensor([token])
        self._kept: dict[int, Array] = {}

    def green(self, previous: int) -> Array:
        """Return the ids that are favoured behind a token, in transformers' order: (gamma · vocabulary,)."""
        found: Any = self._lists._get_greenlist_ids(self._as_tensor(previous))
        return np.asarray(found.numpy())

    def favoured(self, contexts: Array, tokens: Array) -> Array:
        """Return which tokens are favoured behind their contexts. Shapes as in `Mark`."""
        held, asked = np.asarray(contexts).reshape(-1), np.asarray(tokens)
        found = np.zeros(len(asked), bool)
        order = np.argsort(held, kind="stable")  # so that each context's tokens stand together
        first, begins = np.unique(held[order], return_index=True)
        for token, at in zip(first, np.split(order, begins[1:]), strict=False):  # of no tokens numpy makes one part
            found[at] = self._list(int(token))[asked[at]]
        return found

    def lists(self, contexts: Array, vocabulary: int) -> Array:
        """Return what is favoured behind each context. Shapes as in `Mark`."""
        rows = [self._list(int(token))[:vocabulary] for token in np.asarray(contexts).reshape(-1)]
        return np.stack(rows) if rows else np.empty((0, vocabulary), bool)

    def _list(self, token: int) -> Array:
        if token not in self._kept:
            held = np.zeros(self._vocabulary, bool)
            held[self.green(token)] = True
            self._kept[token] = held
        return self._kept[token]


def sampler(key: int, vocabulary: int, bias: float = 2.0, gamma: float = 0.25) -> Any:
    """Return transformers' processor for `generate(logits_processor=[…])` under a key."""
    processor = needed("transformers.generation.logits_process").WatermarkLogitsProcessor
    return processor(vocabulary, "cpu", greenlist_ratio=gamma, bias=bias, hashing_key=key, seeding_scheme="lefthash")


def table(key: int, vocabulary: int, gamma: float = 0.25, tokens: Sequence[int] | None = None) -> Array:
    """Return all lists at once, for a small vocabulary: (contexts, vocabulary) bool."""
    mark = Kgw(key, vocabulary, gamma)
    return mark.lists(np.arange(vocabulary) if tokens is None else np.asarray(tokens), vocabulary)
