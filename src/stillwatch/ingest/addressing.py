"""Kernels that read addresses: text → numbers.

Every address is one 128-bit number in two 64-bit halves; a v4 address stands where RFC 4291 maps it, in ::ffff:0:0/96.
So both kinds lie in one sorted table, and one search finds either: see `stretches`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NO_ADDRESS = -1  # prefix length of a text that is no address
_0, _1, _16, _48 = (np.uint64(each) for each in (0, 1, 16, 48))
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_MAPPED = np.uint64(0xFFFF_0000_0000)  # low half of ::ffff:0.0.0.0


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
