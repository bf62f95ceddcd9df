from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stillwatch.model import InputRefused, MissingDependency, UsageError
from stillwatch.provenance.keyring import Keyring
from stillwatch.provenance.tails import uniformity
from stillwatch.provenance.watermark import kgw, schemes, vllm
from stillwatch.provenance.watermark.detect import detect, text_pairs
from stillwatch.provenance.watermark.marks import KeyedHash, pairs_of, unique

KEY, OTHER = b"k" * 32, b"o" * 32
SIZE = 500
HASHED = [1, 6, 9, 12, 18, 22, 29, 30, 31, 38]


def write(rng: np.random.Generator, length: int, mark: KeyedHash | None, bias: float = 2.0) -> np.ndarray:
    """Tokens of a model that finds all tokens alike, under a mark or not."""
    found = list(rng.integers(0, SIZE, 2))
    for _ in range(length):
        weights = np.ones(SIZE)
        if mark is not None:
            weights[mark.lists(np.array([found[-mark.width :]]), SIZE)[0]] = np.exp(bias)
        found.append(int(rng.choice(SIZE, p=weights / weights.sum())))
    return np.array(found)


def test_the_hash_is_the_same_on_every_machine() -> None:
    lists = KeyedHash(KEY).lists(np.array([[42]]), 40)[0]
    assert np.flatnonzero(lists).tolist() == HASHED


def test_lists_and_favoured_tokens_agree() -> None:
    for mark in (KeyedHash(KEY), KeyedHash(KEY, 0.5, 2)):
        contexts = np.arange(2 * mark.width).reshape(2, mark.width)
        lists = mark.lists(contexts, SIZE)
        found = [mark.favoured(np.repeat(contexts[at : at + 1], SIZE, axis=0), np.arange(SIZE)) for at in (0, 1)]
        assert np.array_equal(lists, np.stack(found))


def test_a_share_gamma_is_favoured_and_keys_and_contexts_are_independent() -> None:
    contexts = np.arange(400)[:, None]
    one, other = (KeyedHash(key).lists(contexts, 1000) for key in (KEY, OTHER))
    assert one.mean() == pytest.approx(0.25, abs=0.003)
    assert (one & other).mean() == pytest.approx(0.0625, abs=0.002)
    assert (one[:-1] & one[1:]).mean() == pytest.approx(0.0625, abs=0.002)


def test_marked_text_is_found_under_its_key_alone() -> None:
    rng = np.random.default_rng(1)
    text = write(rng, 200, KeyedHash(KEY))
    assert detect([text], KeyedHash(KEY)).tail.p < 1e-6
    assert detect([text], KeyedHash(OTHER)).tail.p > 1e-3
    assert detect([write(rng, 200, None)], KeyedHash(KEY)).tail.p > 1e-3


def test_detection_is_calibrated_under_the_null() -> None:
    rng = np.random.default_rng(2)
    text = [write(rng, 200, None)]
    ps = [detect(text, KeyedHash(rng.bytes(32))).tail.p for _ in range(400)]
    assert uniformity(ps) > 0.01
    assert np.mean(np.array(ps) < 0.01) < 0.03


def test_a_text_that_repeats_itself_says_it_once() -> None:
    text = np.tile(write(np.random.default_rng(3), 30, KeyedHash(KEY)), 50)
    assert detect([text], KeyedHash(KEY)).scored <= 33


def test_pairs_of_a_prompt_are_not_held_against_its_answer() -> None:
    prompt, answer = np.array([1, 2, 3, 4]), np.array([1, 2, 3, 9])
    found = text_pairs([answer], 1, [prompt])
    assert np.column_stack([found.contexts, found.tokens]).tolist() == [[3, 9]]
    with pytest.raises(ValueError, match="prompts"):
        text_pairs([answer], 1, [prompt, prompt])


def test_a_text_shorter_than_the_context_has_no_pairs() -> None:
    assert len(unique(pairs_of(np.array([1, 2]), 2))) == 0
    assert detect([], KeyedHash(KEY)).tail.p == 1.0


def test_a_mark_does_not_show_its_key() -> None:
    assert "kkk" not in repr(KeyedHash(KEY))


@pytest.fixture
def rows() -> vllm.Rows:
    return vllm.Rows({"one": KEY, "two": OTHER})


def test_only_requests_that_name_a_key_are_marked(rows: vllm.Rows) -> None:
    rows.add(0, None, [1, 2])
    rows.add(1, "one", output := [7])
    rows.add(2, "two", [])
    found = rows.favoured(SIZE)
    assert list(found) == [1]
    assert np.array_equal(found[1], KeyedHash(KEY).lists(np.array([[7]]), SIZE)[0])
    output.append(8)  # the server extends it as it samples
    assert np.array_equal(rows.favoured(SIZE)[1], KeyedHash(KEY).lists(np.array([[8]]), SIZE)[0])


def test_rows_follow_their_requests(rows: vllm.Rows) -> None:
    rows.add(0, "one", [7])
    rows.add(1, "two", [8])
    rows.move(0, 1, swap=True)
    assert [rows.favoured(9)[row].tolist() for row in (0, 1)] == [
        KeyedHash(key).lists(np.array([[token]]), 9)[0].tolist() for key, token in ((OTHER, 8), (KEY, 7))
    ]
    rows.move(1, 0, swap=False)
    assert list(rows.favoured(9)) == [0]
    rows.remove(0)
    assert not rows.favoured(9)


def test_a_request_that_names_an_unknown_key_is_refused(rows: vllm.Rows) -> None:
    with pytest.raises(ValueError, match="does not have"):
        rows.add(0, "three", [])


def test_keys_of_a_server_are_read_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"one": "6b6b"}')
    assert vllm.read_keys(path) == {"one": b"kk"}
    path.write_text('{"one": "secret-not-hex"}')
    with pytest.raises(InputRefused) as caught:
        vllm.read_keys(path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("call", [vllm.processor, lambda: kgw.sampler(1, 10), lambda: kgw.Kgw(1, 10)])
def test_what_needs_the_extra_says_so(call: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("torch", "transformers", "vllm"):
        monkeypatch.setitem(sys.modules, module, None)
    for module in [each for each in sys.modules if each.startswith(("transformers.", "vllm."))]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match=r"stillwatch\[watermark\]"):
        call()


def test_schemes_have_names_and_take_derived_keys() -> None:
    key = Keyring(KEY).rotated("class:new", "watermark", 0).key("class:new", "watermark")
    mark = schemes.under("hash", SIZE, 0.5, 2)(schemes.key_for("hash", key))
    assert (mark.gamma, mark.width) == (0.5, 2)
    assert 0 <= schemes.key_for("kgw", key) < 1 << 40
    assert schemes.random_for("kgw", (b"\xff" * 32,)) == [(1 << 40) - 1]
    with pytest.raises(UsageError, match="hash or kgw"):
        schemes.under("other", 10)
