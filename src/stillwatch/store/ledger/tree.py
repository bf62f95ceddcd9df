"""A Merkle tree after RFC 6962: its hashes and roots, and who is in it. Pure; nothing here knows a database.

A `node` is named by its level (0: a leaf) and its place in the level, and covers 2^level leaves. Only nodes whose
leaves are all there are ever stored; the right edge is computed from them, so an append costs O(log n).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

Read = Callable[[int, int], bytes]  # level, place → the hash of a complete node
EMPTY = hashlib.sha256(b"").digest()
SIZE = 32


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry. The prefix keeps a leaf from passing as a node."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees that stand side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grow(size: int, leaf: bytes, read: Read) -> Iterator[tuple[int, int, bytes]]:
    """Yield the nodes that are complete once a leaf follows `size` others: level, place, hash; the leaf first."""
    level, place, hashed = 0, size, leaf
    yield level, place, hashed
    while place & 1:
        hashed = node_hash(read(level, place - 1), hashed)
        level, place = level + 1, place >> 1
        yield level, place, hashed


def peaks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield level and place of the complete nodes, largest first from the left, that cover leaves start to end.

    `start` is where a subtree of the tree over `end` leaves begins.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def root(size: int, read: Read) -> bytes:
    """Return the root over the first `size` leaves."""
    return span(0, size, read)


def span(start: int, end: int, read: Read) -> bytes:
    """Return the hash of the subtree over leaves start to end."""
    return fold_peaks([read(level, place) for level, place in peaks(start, end)])


def fold_peaks(hashes: Sequence[bytes]) -> bytes:
    """Return the root that complete nodes, from the left, have together."""
    if not hashes:
        return EMPTY
    folded = hashes[-1]
    for each in reversed(hashes[:-1]):
        folded = node_hash(each, folded)
    return folded


def root_of(entries: Iterable[bytes]) -> bytes:
    """Return the root over entries: what a log of them must have, computed from nothing else."""
    stack: list[tuple[int, bytes]] = []
    for entry in entries:
        level, hashed = 0, leaf_hash(entry)
        while stack and stack[-1][0] == level:
            hashed = node_hash(stack.pop()[1], hashed)
            level += 1
        stack.append((level, hashed))
    return fold_peaks([hashed for _, hashed in stack])


def split(width: int) -> int:
    """Return the largest power of two below a width of at least two: where RFC 6962 divides a tree."""
    return 1 << ((width - 1).bit_length() - 1)
