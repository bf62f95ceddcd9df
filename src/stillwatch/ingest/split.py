"""Where the records and values of a buffer lie. Numba kernels over bytes; no Python object a row.

A quote that stands where RFC 4180 allows none means that a line was damaged. Reading goes on at the next line, so that
one lost quote costs one record, not all that follow.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NEWLINE, RETURN, QUOTE = 10, 13, 34
WRONG_COUNT, WRONG_QUOTES, WRONG_UTF8 = 1, 2, 3


@njit(cache=True, nogil=True)
def utf8_valid(buf, start, end):  # type: ignore[no-untyped-def]  # numba infers
    """Say whether buf[start:end] is valid UTF-8 (RFC 3629)."""
    i = start
    while i < end:
        lead = buf[i]
        i += 1
        if lead < 0x80:
            continue
        if lead < 0xC2 or lead > 0xF4:
            return False
        more = 1 if lead < 0xE0 else (2 if lead < 0xF0 else 3)
        if i + more > end:
            return False
        low, high = 0x80, 0xBF
        if lead == 0xE0:
            low = 0xA0
        elif lead == 0xED:
            high = 0x9F
        elif lead == 0xF0:
            low = 0x90
        elif lead == 0xF4:
            high = 0x8F
        for k in range(more):
            if buf[i + k] < low or buf[i + k] > high:
                return False
            low, high = 0x80, 0xBF
        i += more
    return True


@njit(cache=True, nogil=True)
def invalid_utf8(buf, starts, ends):  # type: ignore[no-untyped-def]  # numba infers
    """Return for each slice whether it is not valid UTF-8."""
    wrong = np.zeros(len(starts), np.bool_)
    for i in range(len(starts)):
        wrong[i] = not utf8_valid(buf, starts[i], ends[i])
    return wrong


@njit(cache=True, nogil=True)
def read_value(buf, i, delimiter):  # type: ignore[no-untyped-def]  # numba infers
    """Read one value that starts at `i`: (start, end, position after it, state).

    The state is the byte that ended it (delimiter or newline), 0 at the buffer's end, or -1 for a stray quote. Position
    -1 says that the buffer ended inside quotes.
    """
    size = len(buf)
    if i < size and buf[i] == QUOTE:
        start = i + 1
        i = start
        while True:
            while i < size and buf[i] != QUOTE:
                i += 1
            if i >= size:
                return start, size, -1, 0
            if i + 1 < size and buf[i + 1] == QUOTE:
                i += 2
                continue
            break
        end = i
        i += 1
        if i < size and buf[i] == RETURN:
            i += 1
        if i >= size:
            return start, end, i, 0
        if buf[i] == delimiter or buf[i] == NEWLINE:
            return start, end, i + 1, np.int64(buf[i])
        return start, end, i, -1
    start = i
    while i < size and buf[i] != delimiter and buf[i] != NEWLINE:
        if buf[i] == QUOTE:
            return start, i, i, -1
        i += 1
    end = i
    if i >= size:
        return start, end, i, 0
    if buf[i] == NEWLINE and end > start and buf[end - 1] == RETURN:
        end -= 1
    return start, end, i + 1, np.int64(buf[i])


@njit(cache=True, nogil=True)
def split_csv(buf, columns, delimiter, line, patience):  # type: ignore[no-untyped-def]  # numba infers
    """Split a buffer of CSV: (starts, ends, lines, bad, consumed, line).

    `starts` and `ends` hold `columns` values a record; `lines` its line number; `bad` rows are (line, length, reason,
    values found). `consumed` bytes hold whole records; the rest waits for more, unless quotes stay open for longer than
    `patience` bytes: then one was lost. With `patience` 0 the buffer is the file's last.
    """
    size = len(buf)
    room = max(size // columns, 1) + 1
    starts, ends = np.empty(room * columns, np.int64), np.empty(room * columns, np.int64)
    lines, bad = np.empty(room, np.int64), [(np.int64(0), np.int64(0), np.int64(0), np.int64(0)) for _ in range(0)]
    records = 0
    at = 0
    while at < size:
        i, values, state = at, 0, np.int64(delimiter)
        while state == delimiter:
            start, end, i, state = read_value(buf, i, delimiter)
            if values < columns:
                starts[records * columns + values], ends[records * columns + values] = start, end
            values += 1
        if state == 0 and patience and (i != -1 or size - at < patience):
            break
        if state == -1 or i == -1:  # damaged: only the first line is lost
            i, reason = at, WRONG_QUOTES
            while i < size and buf[i] != NEWLINE:
                i += 1
            if i >= size and patience:
                break
            i = min(i + 1, size)
        else:
            reason = 0 if values == columns else WRONG_COUNT
        blank = reason != WRONG_QUOTES and values == 1 and start == end
        if not blank and reason == 0 and not utf8_valid(buf, at, i):
            reason = WRONG_UTF8
        if not blank and reason:
            bad.append((np.int64(line), np.int64(i - at), np.int64(reason), np.int64(values)))
        elif not blank:
            lines[records] = line
            records += 1
        for k in range(at, i):
            line += buf[k] == NEWLINE
        at = i
    return starts[: records * columns], ends[: records * columns], lines[:records], bad, at, line


@njit(cache=True, nogil=True)
def gather(buf, starts, ends):  # type: ignore[no-untyped-def]  # numba infers
    """Copy slices together, doubled quotes made single: (offsets, bytes)."""
    offsets = np.zeros(len(starts) + 1, np.int32)
    out = np.empty((ends - starts).sum(), np.uint8)
    at = 0
    for k in range(len(starts)):
        i = starts[k]
        quoted = i > 0 and buf[i - 1] == QUOTE
        while i < ends[k]:
            out[at] = buf[i]
            at += 1
            i += 2 if quoted and buf[i] == QUOTE else 1
        offsets[k + 1] = at
    return offsets, out[:at]
