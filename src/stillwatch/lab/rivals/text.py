"""A prompt's template as a rival may know it: a masked shingle signature, and the words it hashes.

Digits are masked and ASCII case is folded; a CJK character is a word. A shingle is four words. A prompt's signature is
the smallest hash among its shingles that many prompts of the log hold. No code of stillwatch's own sketch is used.
"""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SLOTS = 1 << 22
FREQUENT = 20  # prompts that hold a shingle, from which on it may belong to a template
READ = 1_200  # bytes of a prompt that are looked at
_PRIME = np.uint64(1099511628211)
_BASIS = np.uint64(14695981039346656037)


@numba.njit(cache=True)
def _spread(value: np.uint64) -> np.uint64:
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@numba.njit(cache=True)
def _words(data, start, stop, out):  # type: ignore[no-untyped-def]
    """Hashes of the words between two offsets; how many there are."""
    found, inside, value = 0, False, _BASIS
    at = start
    while at < stop and found < len(out) - 1:
        byte = data[at]
        wide = 1
        if byte >= 0xE3 and byte < 0xF0 and at + 2 < stop:  # three bytes from U+3000 on: mostly CJK
            wide = 3
        plain = (byte >= 97 and byte <= 122) or (byte >= 128 and wide == 1)
        if byte >= 65 and byte <= 90:
            byte, plain = byte + 32, True
        if byte >= 48 and byte <= 57:
            byte, plain = 48, True
        if plain:
            if not (byte == 48 and inside and data[at - 1] >= 48 and data[at - 1] <= 57):
                value = (value ^ np.uint64(byte)) * _PRIME
            inside = True
        else:
            if inside:
                out[found] = _spread(value)
                found, inside, value = found + 1, False, _BASIS
            if wide == 3:
                for step in range(3):
                    value = (value ^ np.uint64(data[at + step])) * _PRIME
                out[found] = _spread(value)
                found, value = found + 1, _BASIS
        at += wide
    if inside:
        out[found] = _spread(value)
        found += 1
    return found


@numba.njit(cache=True)
def _shingle(words, at):  # type: ignore[no-untyped-def]
    value = words[at]
    for step in range(1, 4):
        value = _spread(value * np.uint64(3) + words[at + step])
    return value


@numba.njit(cache=True)
def _count(offsets, data, counts, read):  # type: ignore[no-untyped-def]
    words = np.empty(read + 2, np.uint64)
    last = np.full(len(counts), -1, np.int32)  # a prompt counts a shingle once
    for row in range(len(offsets) - 1):
        found = _words(data, offsets[row], min(offsets[row + 1], offsets[row] + read), words)
        for at in range(found - 3):
            slot = _shingle(words, at) & np.uint64(len(counts) - 1)
            if last[slot] != row:
                counts[slot] += 1
                last[slot] = row


@numba.njit(cache=True)
def _sign(offsets, data, counts, frequent, read):  # type: ignore[no-untyped-def]
    words = np.empty(read + 2, np.uint64)
    keys = np.zeros(len(offsets) - 1, np.uint64)
    for row in range(len(offsets) - 1):
        found = _words(data, offsets[row], min(offsets[row + 1], offsets[row] + read), words)
        best = np.uint64(0)
        for at in range(found - 3):
            value = _shingle(words, at)
            if counts[value & np.uint64(len(counts) - 1)] >= frequent and (best == 0 or value < best):
                best = value
        keys[row] = best
    return keys


def _buffers(prompts: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    flat = prompts.cast(pa.large_string()).fill_null("").combine_chunks()
    flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
    _, offsets, data = flat.buffers()
    places = np.frombuffer(offsets, np.int64)[flat.offset : flat.offset + len(flat) + 1]
    return places, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def count_shingles(prompts: pa.ChunkedArray, counts: NDArray[np.int32]) -> None:
    """Add the shingles of some prompts to the counts."""
    _count(*_buffers(prompts), counts, READ)


def signatures(prompts: pa.ChunkedArray, counts: NDArray[np.int32], frequent: int = FREQUENT) -> NDArray[np.uint64]:
    """The template of each prompt; 0 where no shingle of it is frequent."""
    keys: NDArray[np.uint64] = _sign(*_buffers(prompts), counts, frequent, READ)
    return keys
