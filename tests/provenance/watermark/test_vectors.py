"""Vectors that other implementations give too; those of transformers run where the extra is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stillwatch.provenance.watermark import kgw, synthid

KEYS = (
    654, 400, 836, 123, 340, 443, 597, 160, 57, 29, 590, 639, 13, 715, 468,
    990, 966, 226, 324, 585, 118, 504, 421, 521, 129, 669, 732, 225, 90, 960,
)  # fmt: skip


@pytest.fixture(scope="module")
def torch() -> Any:
    pytest.importorskip("transformers", reason="needs stillwatch[watermark]")
    return pytest.importorskip("torch", reason="needs stillwatch[watermark]")


def test_synthid_g_values_are_those_of_the_published_keys(torch: Any) -> None:
    tokens = torch.randint(0, 50000, (2, 40), generator=torch.Generator().manual_seed(0)).numpy()
    found = synthid.g_values(tokens, KEYS)
    assert found.shape == (2, 36, 30)
    assert int(found.sum()) == 1131
    assert found[0, 0, :10].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("leaves", "expected"), [(2, lambda size: 0.5 + 0.25 * (1 - 1 / size)), (3, lambda size: 7 / 8 - 3 / (8 * size))]
)
def test_the_mean_g_of_a_uniform_model_is_what_theory_says(leaves: int, expected: Any) -> None:
    rng, size, runs = np.random.default_rng(1), 16, 200_000
    tokens = rng.integers(0, size, (runs, leaves))
    coins = rng.integers(0, 2, (runs, size))
    best = np.take_along_axis(coins, tokens, axis=1).max(axis=1)
    assert best.mean() == pytest.approx(expected(size), abs=0.005)


def test_a_kgw_list_is_that_of_transformers(torch: Any) -> None:
    assert kgw.Kgw(15485863, 1000).green(42)[:10].tolist() == [244, 203, 72, 743, 829, 556, 762, 344, 252, 878]


def test_transformers_lefthash_takes_one_token_of_context_whatever_it_is_told(torch: Any) -> None:
    from transformers.generation.logits_process import WatermarkLogitsProcessor

    wide = WatermarkLogitsProcessor(1000, "cpu", greenlist_ratio=0.25, seeding_scheme="lefthash", context_width=4)
    lists = [wide._get_greenlist_ids(torch.tensor([*before, 42])).tolist() for before in ([1, 2, 3], [9, 8, 7])]
    assert lists[0] == lists[1] == kgw.Kgw(15485863, 1000).green(42).tolist()


def test_lists_and_favoured_tokens_of_kgw_agree(torch: Any) -> None:
    mark = kgw.Kgw(99, 200)
    lists = mark.lists(np.array([[3], [7]]), 200)
    assert lists.sum(axis=1).tolist() == [50, 50]
    assert mark.favoured(np.repeat([[7]], 200, axis=0), np.arange(200)).tolist() == lists[1].tolist()


def test_text_sampled_under_synthid_keys_is_found_and_other_text_is_not(torch: Any) -> None:
    rng = np.random.default_rng(2)
    processor = synthid.sampler(KEYS, 3)
    torch.manual_seed(0)
    held = torch.as_tensor(rng.integers(0, 64, (8, 2)))
    for _ in range(40):
        scores = processor(held, torch.zeros(8, 64))
        held = torch.cat([held, torch.multinomial(scores.softmax(-1), 1)], dim=1)
    assert synthid.detect(list(held.numpy()), KEYS, 3).tail.p < 1e-6
    assert synthid.detect(list(rng.integers(0, 64, (8, 42))), KEYS, 3).tail.p > 1e-3
    assert synthid.detect([np.arange(2)], KEYS, 3).scored == 0
