"""What an answer is ranked by: how usual its words are to the reference.

With a local copy of the model that is the mean log-rank of the answer's tokens (Zhu et al. 2026, section 3). Without
one, this is a model of pairs and triples of words, counted over a part of the reference's own answers that is ranked
nowhere else; else the ranks would not be uniform under the null.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stillwatch.integrity.audit.kernel import pieces

ORDERS = (3, 2, 1)  # words of context and the word itself
DISCOUNT = 0.6  # weight that an unseen context leaves to the next shorter one
_START = "\x02"


@dataclass(frozen=True, slots=True)
class PhraseScorer:
    """Counts of phrases in the reference's answers: over all prompts, and for each prompt by itself."""

    everywhere: Mapping[tuple[str, ...], int]
    by_prompt: Mapping[str, Mapping[tuple[str, ...], int]]
    words: int  # distinct

    def score(self, prompt: str, text: str) -> float:
        """Return the mean surprise of an answer's pieces, in nats; larger is less like the reference."""
        found = pieces(text, None)
        if not found:
            return 0.0
        own = self.by_prompt.get(prompt, {})
        padded = [_START, _START, *found]
        total = 0.0
        for end in range(3, len(padded) + 1):
            here = _chance(own, padded, end, 0.0)
            anywhere = _chance(self.everywhere, padded, end, 1.0 / (self.words + 1))
            total -= math.log(0.5 * here + 0.5 * anywhere)
        return total / len(found)


def fit_scorer(answers: Mapping[str, Sequence[str]]) -> PhraseScorer:
    """Count phrases over answers, by prompt."""
    by_prompt = {prompt: _count(texts) for prompt, texts in answers.items()}
    everywhere: Counter[tuple[str, ...]] = Counter()
    for counted in by_prompt.values():
        everywhere.update(counted)
    words = sum(len(phrase) == 1 for phrase in everywhere)
    return PhraseScorer(everywhere, by_prompt, words)


def _count(texts: Iterable[str]) -> Counter[tuple[str, ...]]:
    counted: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        padded = [_START, _START, *pieces(text, None)]
        counted[()] += len(padded) - 2
        for end in range(3, len(padded) + 1):
            for order in ORDERS:
                counted[tuple(padded[end - order : end])] += 1
            for order in (2, 1):
                counted[("", *padded[end - 1 - order : end - 1])] += 1  # how often a context came
    return counted


def _chance(counted: Mapping[tuple[str, ...], int], padded: Sequence[str], end: int, floor: float) -> float:
    """Probability of a piece, contexts of two, one and no pieces mixed by how often they were seen."""
    total = counted.get((), 0)
    chance = (counted.get((padded[end - 1],), 0) + floor * 5.0) / (total + 5.0)
    for order in (1, 2):
        seen = counted.get(("", *padded[end - 1 - order : end - 1]), 0)
        if seen:
            share = seen / (seen + 2.0 * DISCOUNT)
            chance = share * counted.get(tuple(padded[end - 1 - order : end]), 0) / seen + (1.0 - share) * chance
    return chance
