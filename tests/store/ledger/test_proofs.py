"""What is proved holds, what is not does not, and another implementation agrees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import ConsistencyProof, InclusionProof, InmemoryTree

from stillwatch.store.ledger.proofs import consistency, extends, includes, inclusion
from stillwatch.store.ledger.tree import leaf_hash
from tests.store.ledger.trees import LEAVES, Grown

SIZES = st.integers(1, 130)
WELL_KNOWN = Grown(LEAVES)
NUMBERS = [b"%d" % each for each in range(130)]
GROWN = Grown(NUMBERS)


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ],
)
def test_the_published_inclusion_proofs_are_made(index: int, size: int, path: list[str]) -> None:
    assert [each.hex() for each in inclusion(index, size, WELL_KNOWN.read)] == path


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_the_published_consistency_proofs_are_made(old: int, new: int, path: list[str]) -> None:
    assert [each.hex() for each in consistency(old, new, WELL_KNOWN.read)] == path


@given(SIZES, st.data())
def test_every_entry_is_proved_and_another_is_not(size: int, data: st.DataObject) -> None:
    index, wrong = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    path, root = inclusion(index, size, GROWN.read), GROWN.root(size)
    assert includes(leaf_hash(NUMBERS[index]), index, size, path, root)
    if wrong != index:
        assert not includes(leaf_hash(NUMBERS[wrong]), index, size, path, root)
        assert not includes(leaf_hash(NUMBERS[index]), wrong, size, path, root)


@given(st.integers(0, 130), st.integers(0, 130))
def test_a_log_is_the_beginning_of_what_it_grew_to(one: int, other: int) -> None:
    old, new = sorted((one, other))
    path = consistency(old, new, GROWN.read)
    assert extends((old, GROWN.root(old)), (new, GROWN.root(new)), path)
    if 0 < old < new:
        assert not extends((old, GROWN.root(old - 1)), (new, GROWN.root(new)), path)
        assert not extends((old, GROWN.root(old)), (new, GROWN.root(new - 1)), path)


@given(SIZES, st.data())
def test_a_proof_with_one_bit_changed_or_one_hash_more_or_less_holds_no_longer(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root, was = GROWN.root(size), GROWN.root(old)
    for path, holds in (
        (inclusion(index, size, GROWN.read), lambda p: includes(leaf_hash(NUMBERS[index]), index, size, p, root)),
        (consistency(old, size, GROWN.read), lambda p: extends((old, was), (size, root), p)),
    ):
        assert holds(path)
        assert not holds([*path, b"\0" * 32])
        if path:
            place, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
            flipped = (int.from_bytes(path[place]) ^ (1 << bit)).to_bytes(32)
            assert not holds([*path[:place], flipped, *path[place + 1 :]])
            assert not holds(path[:-1])
            assert not holds(path[1:])


@given(SIZES, st.data())
def test_another_implementation_makes_and_accepts_the_same_proofs(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    other = InmemoryTree(algorithm="sha256")
    other.append_entries(NUMBERS[:size])
    included = other.prove_inclusion(index + 1, size)
    assert isinstance(included, InclusionProof)
    assert included.path[1:] == inclusion(index, size, GROWN.read)  # theirs begins with the leaf
    included.verify(leaf_hash(NUMBERS[index]), GROWN.root(size))
    grew = other.prove_consistency(old, size)
    assert isinstance(grew, ConsistencyProof)
    grew.verify(GROWN.root(old), GROWN.root(size))  # of another shape than RFC 6962's, over the same roots


@given(st.lists(st.binary(max_size=40), max_size=70), st.integers(-3, 2**70), st.integers(-3, 2**70))
def test_nonsense_proves_nothing_and_breaks_nothing(path: list[bytes], index: int, size: int) -> None:
    assert not includes(leaf_hash(b"x"), index, size, path, b"\1" * 32)
    assert not extends((index, b"\1" * 32), (size, b"\2" * 32), path)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_an_entry_that_is_not_there_cannot_be_proved(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion(index, size, GROWN.read)


def test_a_longer_log_is_not_the_beginning_of_a_shorter_one() -> None:
    with pytest.raises(ValueError, match="not the beginning"):
        consistency(4, 3, GROWN.read)
