"""Kernels over addresses as numbers: text → 128 bits, ranges → non-overlapping ranges, address → what its range says.

Every address is one 128-bit number in two 64-bit halves; a v4 address stands where RFC 4291 maps it, in ::ffff:0:0/96.
So both kinds lie in one sorted table, and one search finds either.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NOTHING = 0  # what a lookup yields where no range has the address
NO_ADDRESS = -1  # prefix length of a text that is no address
_0, _1, _16, _48, _64 = (np.uint64(each) for each in (0, 1, 16, 48, 64))
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_MAPPED = np.uint64(0xFFFF_0000_0000)  # low half of ::ffff:0.0.0.0
_END = np.uint64(0xFFFF_FFFF_FFFF)  # low half of ::ffff:255.255.255.255


@njit(cache=True, nogil=True)
def _four(text, at, end):  # type: ignore[no-untyped-def]
    """A dotted v4 address as a number, and whether it is one."""
    whole, part, digits, dots = _0, _0, 0, 0
    for place in range(at, end):
        letter = text[place]
        if 48 <= letter <= 57 and digits < 3:
            part = part * np.uint64(10) + np.uint64(letter - 48)
            digits += 1
        elif letter == 46 and digits and dots < 3 and part < np.uint64(256):
            whole = (whole << np.uint64(8)) | part
            part, digits, dots = _0, 0, dots + 1
        else:
            return _0, False
    return (whole << np.uint64(8)) | part, dots == 3 and digits > 0 and part < np.uint64(256)


@njit(cache=True, nogil=True)
def _hex(letter):  # type: ignore[no-untyped-def]
    """The value of a hexadecimal digit, or -1."""
    if 48 <= letter <= 57:
        return letter - 48
    if 97 <= letter <= 102:
        return letter - 87
    return letter - 55 if 65 <= letter <= 70 else -1


@njit(cache=True, nogil=True)
def _push(high, low, word):  # type: ignore[no-untyped-def]
    """128 bits shifted by one word of 16 bits, with a word behind."""
    return (high << _16) | (low >> _48), (low << _16) | word


@njit(cache=True, nogil=True)
def _six(text, at, end):  # type: ignore[no-untyped-def]
    """A v6 address as two halves, and whether it is one: the words before '::' and those after it, each as a number."""
    high, low, words = _0, _0, 0
    head_high, head_low, head, gap = _0, _0, 0, False
    place = at
    if place + 1 < end and text[place] == 58 and text[place + 1] == 58:
        gap, place = True, place + 2
    while place < end:
        word, digits, begin = _0, 0, place
        while place < end and digits <= 4 and _hex(text[place]) >= 0:
            word = (word << np.uint64(4)) | np.uint64(_hex(text[place]))
            digits, place = digits + 1, place + 1
        if place < end and text[place] == 46:  # a v4 tail is two words, and the last ones
            four, good = _four(text, begin, end)
            if not good:
                return _0, _0, False
            high, low = _push(high, low, four >> _16)
            high, low = _push(high, low, four & np.uint64(0xFFFF))
            words, place = words + 2, end
            break
        if not 1 <= digits <= 4:
            return _0, _0, False
        high, low = _push(high, low, word)
        words += 1
        if place == end:
            break
        if text[place] != 58 or place + 1 == end:
            return _0, _0, False
        place += 1
        if text[place] == 58:
            if gap:
                return _0, _0, False
            head_high, head_low, head, gap = high, low, words, True
            high, low, place = _0, _0, place + 1
    if words > 8 or (not gap and words != 8) or (gap and words > 7):
        return _0, _0, False
    for _ in range(8 - head):
        head_high, head_low = _push(head_high, head_low, _0)
    return high | head_high, low | head_low, True


@njit(cache=True, nogil=True)
def _read(text, at, end):  # type: ignore[no-untyped-def]
    """An address or network between two places of a text: its halves, and its prefix length or NO_ADDRESS."""
    slash, colon = end, False
    for place in range(at, end):
        if text[place] == 58:
            colon = True
        elif text[place] == 47:
            slash = place
            break
    length, most = 0, 128 if colon else 32
    if slash == end:
        length = most
    elif not 1 <= end - slash - 1 <= 3:
        return _0, _0, NO_ADDRESS
    for place in range(slash + 1, end):
        if not 48 <= text[place] <= 57:
            return _0, _0, NO_ADDRESS
        length = length * 10 + text[place] - 48
    if length > most:
        return _0, _0, NO_ADDRESS
    if not colon:
        four, good = _four(text, at, slash)
        return (_0, _MAPPED | four, length + 96) if good else (_0, _0, NO_ADDRESS)
    high, low, good = _six(text, at, slash)
    return (high, low, length) if good else (_0, _0, NO_ADDRESS)


@njit(cache=True, nogil=True)
def read_addresses(text, offsets):  # type: ignore[no-untyped-def]
    """Read every text as an address or a network: halves (u64) and prefix lengths (i64), NO_ADDRESS for any other."""
    rows = len(offsets) - 1
    high, low, length = np.empty(rows, np.uint64), np.empty(rows, np.uint64), np.empty(rows, np.int64)
    for row in range(rows):
        high[row], low[row], length[row] = _read(text, offsets[row], offsets[row + 1])
    return high, low, length


@njit(cache=True, nogil=True)
def bounds_of(high, low, length):  # type: ignore[no-untyped-def]
    """The first and the last address of every network, as halves."""
    rows = len(high)
    bounds = (
        np.empty(rows, np.uint64),
        np.empty(rows, np.uint64),
        np.empty(rows, np.uint64),
        np.empty(rows, np.uint64),
    )
    for row in range(rows):
        free = 128 - length[row]
        open_high = _ALL if free >= 128 else (_0 if free <= 64 else (_1 << np.uint64(free - 64)) - _1)
        open_low = _ALL if free >= 64 else (_1 << np.uint64(free)) - _1
        bounds[0][row], bounds[1][row] = high[row] & ~open_high, low[row] & ~open_low
        bounds[2][row], bounds[3][row] = high[row] | open_high, low[row] | open_low
    return bounds


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
