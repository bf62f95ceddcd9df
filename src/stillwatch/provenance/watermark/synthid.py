"""SynthID-Text (Dathathri et al., Nature 2024) as transformers implements it: g-values, and their mean's exact tail.

The mean detector needs no training. A g-value is a fair coin for each layer and each distinct n-gram, so their sum over
distinct n-grams is binomial for any text that was not sampled under the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stillwatch.provenance.watermark.detect import Count
from stillwatch.provenance.watermark.marks import Array
from stillwatch.provenance.watermark.needed import needed

FAIR = 0.5
LAYERS, TABLE = 30, 1 << 16


def sampler(keys: Sequence[int], ngram_len: int = 5) -> Any:
    """Return transformers' processor, which samples under the keys and computes g-values; one key a layer."""
    processor = needed("transformers.generation.logits_process").SynthIDTextWatermarkLogitsProcessor
    return processor(
        ngram_len=ngram_len, keys=list(keys), sampling_table_size=TABLE, sampling_table_seed=0,
        context_history_size=1024, device=needed("torch").device("cpu"),
    )  # fmt: skip


def g_values(tokens: Array, keys: Sequence[int], ngram_len: int = 5) -> Array:
    """Return the g-values of texts: (texts, n) token ids to (texts, n − ngram_len + 1, layers) of 0 and 1."""
    torch = needed("torch")
    found: Any = sampler(keys, ngram_len).compute_g_values(torch.as_tensor(np.asarray(tokens)))
    return np.asarray(found.numpy())


def detect(texts: Sequence[Array], keys: Sequence[int], ngram_len: int = 5) -> Count:
    """Count the ones among the g-values of distinct n-grams of texts of token ids."""
    grams = [
        np.lib.stride_tricks.sliding_window_view(np.asarray(text), ngram_len)
        for text in texts
        if len(text) >= ngram_len
    ]
    if not grams:
        return Count(0, 0, FAIR)
    distinct = np.unique(np.concatenate(grams), axis=0)
    found = g_values(distinct, keys, ngram_len)
    return Count(int(found.size), int(found.sum()), FAIR)
