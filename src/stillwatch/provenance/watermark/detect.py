"""Is this text marked? The exact tail over distinct pairs, not a z-score: that one is wrong where it matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.provenance.tails import Tail, binomial_tail
from stillwatch.provenance.watermark.marks import Array, Mark, Pairs, pairs_of, together, unique


@dataclass(frozen=True, slots=True)
class Count:
    """How many distinct pairs were scored, and how many hold a favoured token."""

    scored: int
    favoured: int
    gamma: float

    @property
    def tail(self) -> Tail:
        """How likely so many are by chance."""
        return binomial_tail(self.favoured, self.scored, self.gamma)


def count(pairs: Pairs, mark: Mark) -> Count:
    """Count the favoured tokens of distinct pairs."""
    found = int(mark.favoured(pairs.contexts, pairs.tokens).sum()) if len(pairs) else 0
    return Count(len(pairs), found, mark.gamma)


def text_pairs(texts: Sequence[Array], width: int, prompts: Sequence[Array] = ()) -> Pairs:
    """Return the distinct pairs of texts, each without the pairs of its own prompt. Texts are (n,) token ids."""
    told: list[Array | None] = list(prompts) if len(prompts) else [None] * len(texts)
    if len(told) != len(texts):
        raise ValueError(f"{len(told)} prompts for {len(texts)} texts")
    found = [
        unique(pairs_of(text, width), None if prompt is None else pairs_of(prompt, width))
        for text, prompt in zip(texts, told, strict=True)
    ]
    return unique(together(found, width))


def detect(texts: Sequence[Array], mark: Mark) -> Count:
    """Score texts of token ids under a key (Kirchenbauer et al., ICML 2023, with the exact tail of Three Bricks)."""
    return count(text_pairs(texts, mark.width), mark)
