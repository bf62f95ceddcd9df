"""Kernels over ranges of addresses: overlapping ranges → sorted stretches, and an address → what its stretch says."""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.ingest.addressing import NO_ADDRESS, read_addresses

NOTHING = 0  # what a lookup yields where no range has the address
_0, _1, _16 = (np.uint64(each) for each in (0, 1, 16))
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_MAPPED = np.uint64(0xFFFF_0000_0000)  # low half of ::ffff:0.0.0.0
_END = np.uint64(0xFFFF_FFFF_FFFF)  # low half of ::ffff:255.255.255.255


@njit(cache=True, nogil=True)
def _below(a_high, a_low, b_high, b_low):  # type: ignore[no-untyped-def]
    return a_high < b_high or (a_high == b_high and a_low < b_low)


@njit(cache=True, nogil=True)
def _after(high, low):  # type: ignore[no-untyped-def]
    return (high, low + _1) if low != _ALL else (high + _1, _0)


@njit(cache=True, nogil=True)
def _tell(table, made, high, low, value):  # type: ignore[no-untyped-def]
    """Let a table say `value` from an address on; return its number of rows."""
    if made and table[0][made - 1] == high and table[1][made - 1] == low:
        made -= 1  # what was said from here on held for no address
    if (made and table[2][made - 1] == value) or (not made and value == NOTHING):
        return made
    table[0][made], table[1][made], table[2][made] = high, low, value
    return made + 1


@njit(cache=True, nogil=True)
def flatten(first_high, first_low, last_high, last_low, value):  # type: ignore[no-untyped-def]
    """Turn ranges, sorted by first address and then from wide to narrow, into what holds from each address on.

    The result has the first address of each stretch (two halves) and what it says, NOTHING for a gap. Where ranges
    overlap, the one that begins last says, so of nested ones the narrowest.
    """
    rows, size = len(value), 2 * len(value) + 1
    table = (np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.int64))
    held, depth, made = np.empty(rows, np.int64), 0, 0  # ranges begun and not yet ended, the last one on top
    for row in range(rows + 1):
        while depth:  # end what ends before this row begins
            top = held[depth - 1]
            if row < rows and not _below(last_high[top], last_low[top], first_high[row], first_low[row]):
                break
            depth -= 1
            if last_high[top] == _ALL and last_low[top] == _ALL:
                return table[0][:made], table[1][:made], table[2][:made]
            while depth and not _below(
                last_high[top], last_low[top], last_high[held[depth - 1]], last_low[held[depth - 1]]
            ):
                depth -= 1  # it ended earlier, out of sight
            high, low = _after(last_high[top], last_low[top])
            made = _tell(table, made, high, low, value[held[depth - 1]] if depth else NOTHING)
        if row < rows:
            held[depth] = row
            depth += 1
            made = _tell(table, made, first_high[row], first_low[row], value[row])
    return table[0][:made], table[1][:made], table[2][:made]


@njit(cache=True, nogil=True)
def overlay(one, other):  # type: ignore[no-untyped-def]
    """Put two tables of stretches together: from each address on, what either says, bit by bit."""
    rows, others = len(one[2]), len(other[2])
    table = (np.empty(rows + others, np.uint64), np.empty(rows + others, np.uint64), np.empty(rows + others, np.int64))
    at, beside, made, value, more = 0, 0, 0, NOTHING, NOTHING
    while at < rows or beside < others:
        first = at < rows and not (
            beside < others and _below(other[0][beside], other[1][beside], one[0][at], one[1][at])
        )
        high, low = (one[0][at], one[1][at]) if first else (other[0][beside], other[1][beside])
        if first:
            value, at = one[2][at], at + 1
        else:
            more, beside = other[2][beside], beside + 1
        made = _tell(table, made, high, low, value | more)
    return table[0][:made], table[1][:made], table[2][:made]


@njit(cache=True, nogil=True)
def index_fours(first_high, first_low):  # type: ignore[no-untyped-def]
    """For each upper half of a v4 address, how many stretches begin before it; one more for the end of v4."""
    begins = np.empty((1 << 16) + 1, np.int32)
    row = 0
    for block in range((1 << 16) + 1):
        edge = _MAPPED + (np.uint64(block) << _16)
        while row < len(first_high) and _below(first_high[row], first_low[row], _0, edge):
            row += 1
        begins[block] = row
    return begins


@njit(cache=True, nogil=True)
def _place_of_four(lows, begins, steps, low):  # type: ignore[no-untyped-def]
    """How many stretches begin at or before a v4 address: in its block only the lower halves differ.

    As many steps for every block and no branches, so that the processor waits for the memory of several addresses at
    once: half the time for addresses that lie everywhere.
    """
    block = (low - _MAPPED) >> _16
    left, rows = begins[block], begins[block + _1] - begins[block]
    for _ in range(steps):
        half = (rows + 1) // 2
        left += half * ((half > 0) & (lows[left + half - 1] <= low))
        rows -= half
    return left


@njit(cache=True, nogil=True)
def _place(table, left, high, low):  # type: ignore[no-untyped-def]
    """How many stretches begin at or before an address; `left` surely do."""
    right = len(table[2])
    while left < right:
        middle = (left + right) // 2
        if _below(high, low, table[0][middle], table[1][middle]):
            right = middle
        else:
            left = middle + 1
    return left


@njit(cache=True, nogil=True)
def look_up(text, offsets, table, begins, steps):  # type: ignore[no-untyped-def]
    """What holds for each address (i64); NOTHING for a text that is no address, or one of which nothing is said.

    `steps` halve the largest block of `begins` to nothing.
    """
    high, low, length = read_addresses(text, offsets)
    found = np.full(len(high), NOTHING, np.int64)
    for row in range(len(high)):
        if length[row] == NO_ADDRESS:
            continue
        if high[row] == _0 and _MAPPED <= low[row] <= _END:
            place = _place_of_four(table[1], begins, steps, low[row])
        else:
            place = _place(table, begins[-1] if high[row] > _0 else 0, high[row], low[row])
        if place:
            found[row] = table[2][place - 1]
    return found
