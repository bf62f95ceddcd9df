"""Kernels over arrays of numbers: mixing, names in hexadecimal, addresses written out, codes for repeated values.

Each lets go of the interpreter, allocates nothing but its result, and goes over its rows once.
"""

from __future__ import annotations

import numba
import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
V6 = np.uint64(1 << 63)
LONGEST = 40  # bytes of an address written out


@numba.njit(inline="always")
def mix1(z):  # type: ignore[no-untyped-def]
    """The finaliser of splitmix64, for one number."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def hex_letters(head, numbers, digits):  # type: ignore[no-untyped-def]
    """`head` and the first hexadecimal digits of a hash of each number, lowest first: u8[rows × width]."""
    width = len(head) + digits
    out = np.empty(len(numbers) * width, np.uint8)
    for row in range(len(numbers)):
        at = row * width
        for place in range(len(head)):
            out[at + place] = head[place]
        rest = mix1(np.uint64(numbers[row]))
        for place in range(digits):
            nibble = np.uint8(rest & np.uint64(15))
            out[at + len(head) + place] = nibble + (np.uint8(48) if nibble < 10 else np.uint8(87))
            rest >>= np.uint64(4)
    return out


@numba.njit(cache=True, nogil=True)
def code_values(values):  # type: ignore[no-untyped-def]
    """Codes (i32[rows]) and the distinct values (u64) in order of first appearance; an open hash table."""
    size = 1024
    while size < 2 * len(values):
        size *= 2
    table = np.full(size, -1, np.int32)
    codes = np.empty(len(values), np.int32)
    distinct = np.empty(len(values), np.uint64)
    found = 0
    for row in range(len(values)):
        value = np.uint64(values[row])
        slot = np.int64(mix1(value) & np.uint64(size - 1))
        while table[slot] >= 0 and distinct[table[slot]] != value:
            slot = (slot + 1) & (size - 1)
        if table[slot] < 0:
            table[slot] = found
            distinct[found] = value
            found += 1
        codes[row] = table[slot]
    return codes, distinct[:found].copy()


@numba.njit(inline="always")
def _decimal(value, out, at):  # type: ignore[no-untyped-def]
    if value >= 100:
        out[at] = 48 + value // 100
        at += 1
    if value >= 10:
        out[at] = 48 + value // 10 % 10
        at += 1
    out[at] = 48 + value % 10
    return at + 1


@numba.njit(inline="always")
def _group(value, out, at):  # type: ignore[no-untyped-def]
    """One group of an IPv6 address, without leading zeros."""
    begun = False
    for shift in (12, 8, 4, 0):
        nibble = (value >> shift) & 15
        if nibble or begun or shift == 0:
            out[at] = nibble + (48 if nibble < 10 else 87)
            at += 1
            begun = True
    return at


@numba.njit(cache=True, nogil=True)
def address_letters(numbers, prefixes):  # type: ignore[no-untyped-def]
    """Addresses written out: bytes and where each begins; prefixes hold the first 32 bits of an IPv6 network.

    Where the second half of a prefix is zero, the site follows the first half at once.
    """
    out = np.empty(len(numbers) * LONGEST, np.uint8)
    offsets = np.zeros(len(numbers) + 1, np.int32)
    groups = np.empty(8, np.int64)
    at = 0
    for row in range(len(numbers)):
        number = np.uint64(numbers[row])
        if number < V6:
            four = np.int64(number)
            for shift in (24, 16, 8, 0):
                at = _decimal((four >> shift) & 255, out, at)
                if shift:
                    out[at] = 46
                    at += 1
        else:
            prefix = prefixes[np.int64((number >> np.uint64(48)) & np.uint64(0x7FFF))]
            site = np.int64((number >> np.uint64(24)) & np.uint64(0xFFFFFF))
            host = mix1(number)
            groups[0], groups[3] = (prefix >> 16) & 0xFFFF, 0
            behind = 1
            if prefix & 0xFFFF:
                groups[1] = prefix & 0xFFFF
                behind = 2
            groups[behind], groups[behind + 1] = site >> 8, (site & 255) << 8
            for place in range(4):
                groups[4 + place] = np.int64((host >> np.uint64(48 - 16 * place)) & np.uint64(0xFFFF))
            at = _six(groups, out, at)
        offsets[row + 1] = at
    return out[:at].copy(), offsets


@numba.njit(inline="always")
def _six(groups, out, at):  # type: ignore[no-untyped-def]
    """One IPv6 address in the canonical form: its longest run of two or more zero groups becomes '::'."""
    best, length, run = -1, 1, 0
    for place in range(8):
        run = run + 1 if groups[place] == 0 else 0
        if run > length:
            best, length = place - run + 1, run
    place = 0
    while place < 8:
        if place == best:
            out[at] = 58
            out[at + 1] = 58
            at += 2
            place += length
            continue
        if place and place != best + length:  # with no run to leave out this is every place but the first
            out[at] = 58
            at += 1
        at = _group(groups[place], out, at)
        place += 1
    return at


@numba.njit(cache=True, nogil=True)
def order_by(keys):  # type: ignore[no-untyped-def]
    """Rows in order of non-negative keys, equal keys in their own order; a radix sort by 11 bits."""
    rows = len(keys)
    order = np.arange(rows).astype(np.uint32)
    other = np.empty(rows, np.uint32)
    most = np.int64(0)
    for row in range(rows):
        most = max(most, keys[row])
    shift = 0
    counts = np.empty(2049, np.int64)
    while most >> shift:
        counts[:] = 0
        for row in range(rows):
            counts[((keys[row] >> shift) & 2047) + 1] += 1
        for place in range(2048):
            counts[place + 1] += counts[place]
        for at in range(rows):
            digit = (keys[order[at]] >> shift) & 2047
            other[counts[digit]] = order[at]
            counts[digit] += 1
        order, other = other, order
        shift += 11
    return order
