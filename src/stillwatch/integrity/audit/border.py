"""Border inputs: prompts whose first token is nearly a tie, asked at temperature 0.

Chauvin et al., "Token-Efficient Change Detection in LLM APIs" (ICML 2026). Where two tokens are level, the smallest
change of the weights moves the tie, and one token an answer shows it. An endpoint that computes the same bits each
time has no ties to see: then no border input is found, and the test is not evaluated.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from stillwatch.integrity.audit.kernel import kernel_test
from stillwatch.integrity.audit.permutation import PERMUTATIONS, Outcome

LEAST_SHARE = 0.1  # of the second token: below it a few calls would not show the tie


def candidates(count: int, seed: int = 0) -> tuple[str, ...]:
    """Return short inputs to look for ties in: two or three letters that mean nothing, the same for a seed."""
    letters = string.ascii_lowercase
    pairs = ["".join(each) for each in product(letters, letters)]
    order = np.random.default_rng(seed).permutation(len(pairs))
    many = [pairs[place] for place in order]
    longer = [f"{one}{other[0]}" for one, other in zip(many, reversed(many), strict=True)]
    return tuple([*many, *longer][:count])


def is_border(first_tokens: Sequence[str]) -> bool:
    """Whether answers at temperature 0 begin with two different tokens, both often enough.

    Choose inputs by some answers and test with others: what chose them is no fair draw.
    """
    ranked = Counter(first_tokens).most_common(2)
    return len(ranked) == 2 and ranked[1][1] >= max(1, LEAST_SHARE * len(first_tokens))


def border_test(
    reference: Mapping[str, Sequence[str]],
    endpoint: Mapping[str, Sequence[str]],
    chance: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> Outcome:
    """Test whether first tokens, by border input, have one distribution on both sides.

    Raises ValueError when no border input was answered by both.
    """
    return replace(kernel_test(reference, endpoint, chance, permutations, length=1), test="border")
