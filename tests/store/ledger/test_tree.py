"""The tree has the roots that RFC 6962 says, and stores no more than it must."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from stillwatch.store.ledger import tree
from tests.store.ledger.trees import LEAVES, ROOTS, Grown


@pytest.mark.parametrize("size", sorted(ROOTS))
def test_the_well_known_leaves_have_their_published_roots(size: int) -> None:
    assert tree.root_of(LEAVES[:size]).hex() == ROOTS[size]
    assert Grown(LEAVES).root(size).hex() == ROOTS[size]


@given(st.lists(st.binary(max_size=12), max_size=70))
def test_the_root_is_that_of_another_implementation(entries: list[bytes]) -> None:
    other = InmemoryTree(algorithm="sha256")
    for entry in entries:
        other.append_entry(entry)
    assert Grown(entries).root() == tree.root_of(entries) == other.get_root()


@given(st.integers(1, 400))
def test_an_append_reads_and_adds_no_more_than_the_height_of_the_tree(size: int) -> None:
    grown, reads = Grown(b"%d" % each for each in range(size)), []

    def read(level: int, place: int) -> bytes:
        reads.append(level)
        return grown.read(level, place)

    added = list(tree.grow(size, tree.leaf_hash(b"new"), read))
    assert len(added) == len(reads) + 1
    assert len(added) <= (size + 1).bit_length()


def test_a_leaf_cannot_pass_as_a_node() -> None:
    left, right = tree.leaf_hash(b"a"), tree.leaf_hash(b"b")
    assert tree.leaf_hash(left + right) != tree.node_hash(left, right)
