"""From many streams of evidence to one decision: averages within an endpoint, e-BH over endpoints.

The average of e-values is an e-value, however they depend on each other; their product is not. e-BH (Wang and Ramdas
2022) keeps the false discovery rate under any dependence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def average(log_es: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Return the natural logarithm of the weighted mean of e-values given as logarithms; weights are made to sum to 1.

    Raises ValueError when there is nothing to average.
    """
    if not log_es:
        raise ValueError("nothing to average")
    shares = list(weights) if weights is not None else [1.0] * len(log_es)
    total = math.fsum(shares)
    top = max(log_es)
    return top + math.log(math.fsum(w / total * math.exp(e - top) for w, e in zip(shares, log_es, strict=True)))


def over_families(whole: float, families: Sequence[float]) -> float:
    """Merge a channel's stream over all prompts with its streams for each family: half the weight to each side."""
    if not families:
        return whole
    return average([whole, *families], [1.0, *[1.0 / len(families)] * len(families)])


def e_bh(log_es: Mapping[str, float], level: float) -> frozenset[str]:
    """Return the names to act on: false discovery rate at most `level` (Wang and Ramdas 2022, section 4).

    Raises ValueError for a level outside of (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"a level is between 0 and 1, not {level}")
    ordered = sorted(log_es.items(), key=lambda each: (-each[1], each[0]))
    found = 0
    for place, (_, log_e) in enumerate(ordered, start=1):
        if log_e >= math.log(len(ordered) / (level * place)):
            found = place
    return frozenset(name for name, _ in ordered[:found])
