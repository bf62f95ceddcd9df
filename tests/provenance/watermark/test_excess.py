from __future__ import annotations

import numpy as np
import pytest

from stillwatch.provenance.watermark.excess import SPREAD, excess


def test_weights_are_differences_over_their_variances_and_sum_to_nothing_behind_each_context() -> None:
    found = excess([np.array([1, 2, 1, 2, 1, 3])], [np.array([1, 2, 1, 3, 1, 3])], 1)
    told = {(int(context), int(token)): float(weight) for (context,), token, weight in
            zip(found.pairs.contexts, found.pairs.tokens, found.weights, strict=True)}  # fmt: skip
    raw = (2 / 3 - 1 / 3) / (1 / 3 + 1 / 3 + SPREAD / 2)
    assert told == pytest.approx({(1, 2): raw, (1, 3): -raw, (2, 1): 0.0})


def test_a_context_that_only_one_side_has_weighs_nothing() -> None:
    found = excess([np.array([1, 2, 3])], [np.array([5, 6])], 1)
    assert len(found.pairs) == len(found.weights) == 0


def test_what_a_texts_own_prompt_holds_is_not_counted_in_it() -> None:
    texts, reference = [np.array([1, 2]), np.array([1, 2])], [np.array([1, 2, 1, 3])]
    alone = excess(texts, reference, 1, [np.array([1, 2]), np.array([9])])
    assert np.allclose(alone.weights, excess(texts[:1], reference, 1).weights)
    with pytest.raises(ValueError, match="1 prompts for 2 texts"):
        excess(texts, reference, 1, [np.array([1])])


def test_several_tokens_of_context_and_texts_too_short_for_them() -> None:
    found = excess([np.array([1, 2, 3]), np.array([1])], [np.array([1, 2, 4])], 2)
    assert found.pairs.contexts.tolist() == [[1, 2], [1, 2]]
    assert found.pairs.tokens.tolist() == [3, 4]
    assert found.weights[0] == -found.weights[1] > 0
