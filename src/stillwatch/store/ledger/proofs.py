"""Proofs over the tree: that an entry is in it, and that an older tree is the beginning of a newer one.

Making follows RFC 6962, section 2.1; checking follows RFC 9162, sections 2.1.3.2 and 2.1.4.2, which need no recursion.
"""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch.store.ledger.tree import EMPTY, SIZE, Read, node_hash, span, split

DEEPEST = 64  # no tree is higher, so a longer proof is not one


def inclusion(index: int, size: int, read: Read) -> list[bytes]:
    """Return the hashes that lead from the leaf at `index` to the root over `size` leaves, the nearest first."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(span(middle, end, read))
            end = middle
        else:
            path.append(span(start, middle, read))
            start = middle
    return path[::-1]


def consistency(old: int, new: int, read: Read) -> list[bytes]:
    """Return the hashes which show that the first `old` of `new` leaves had the old root."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is not the beginning of one of {new}")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, end = 0, new
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            path.append(span(middle, end, read))
            end = middle
        else:
            path.append(span(start, middle, read))
            start = middle
    if start:  # else the verifier has it already: it is the old root
        path.append(span(start, end, read))
    return path[::-1]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Say whether the path leads from the leaf at `index` to the root over `size` leaves."""
    if not 0 <= index < size or not _sane(path):
        return False
    place, last, hashed = index, size - 1, leaf
    for each in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            hashed = node_hash(each, hashed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hashed = node_hash(hashed, each)
        place, last = place >> 1, last >> 1
    return last == 0 and hashed == root


def extends(old: tuple[int, bytes], new: tuple[int, bytes], path: Sequence[bytes]) -> bool:
    """Say whether a tree (size, root) is the beginning of another, by a proof of it."""
    (old_size, old_root), (new_size, new_root) = old, new
    if not 0 <= old_size <= new_size or not _sane(path):
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    if old_size == 0:
        return not path and old_root == EMPTY
    return _extends(old, new, path)


def _extends(old: tuple[int, bytes], new: tuple[int, bytes], path: Sequence[bytes]) -> bool:
    """Walk both trees up at once, where the older is neither empty nor the same."""
    (old_size, old_root), (new_size, new_root) = old, new
    hashes = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not hashes:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    was = now = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            was, now = node_hash(each, was), node_hash(each, now)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            now = node_hash(now, each)
        place, last = place >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


def _sane(path: Sequence[bytes]) -> bool:
    return len(path) <= DEEPEST and all(len(each) == SIZE for each in path)
