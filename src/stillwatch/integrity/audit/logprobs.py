"""Log-probability tracking: the mean log-probability of each first token, where an endpoint tells it.

Chauvin et al., "Log Probability Tracking of LLM APIs" (ICLR 2026): one token of output, the difference of mean
log-probabilities, permutation. By far the cheapest test there is, and the first that a dishonest endpoint can fake:
it reports the numbers itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stillwatch.integrity.audit.permutation import PERMUTATIONS, Floats, Outcome, p_of, permuted_labels, total_of

UNTOLD = 1.0  # nats below the least likely token that was told
Told = Mapping[str, float]  # token → log-probability


def logprob_test(
    reference: Mapping[str, Sequence[Told]],
    endpoint: Mapping[str, Sequence[Told]],
    chance: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> Outcome:
    """Test whether first tokens' log-probabilities, by prompt, are the same on both sides.

    Raises ValueError when no prompt was answered with log-probabilities by both.
    """
    shared = [prompt for prompt in reference if reference[prompt] and endpoint.get(prompt)]
    if not shared:
        raise ValueError("no prompt was answered with log-probabilities by both sides")
    parts = []
    for prompt in shared:
        ours, theirs = reference[prompt], endpoint[prompt]
        values = _table([*ours, *theirs])
        labels = permuted_labels(len(ours), len(theirs), permutations, chance).astype(np.float64)
        means = (labels @ values) / len(theirs) - ((1.0 - labels) @ values) / len(ours)
        parts.append(np.mean(np.abs(means), axis=1))
    observed, permuted = total_of(parts)
    return Outcome("logprob", observed, p_of(observed, permuted), sum(len(endpoint[each]) for each in shared))


def _table(told: Sequence[Told]) -> Floats:
    """Values, shape (answers, tokens); a token that an answer did not tell is less likely than any that it did."""
    tokens = sorted({token for each in told for token in each})
    rows = [[each.get(token, min(each.values()) - UNTOLD) for token in tokens] for each in told]
    return np.array(rows, dtype=np.float64)
