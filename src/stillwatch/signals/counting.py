"""The counts behind the comparisons, as kernels: what members show together, and when they meet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from stillwatch.sketch.population import Edges, Ints

Sums = npt.NDArray[np.float64]


@njit(cache=True, nogil=True)
def _values_of(accounts, start, value):  # type: ignore[no-untyped-def]
    size = 0
    for account in accounts:
        size += start[account + 1] - start[account]
    member, shown = np.empty(size, np.int64), np.empty(size, np.int64)
    at = 0
    for place in range(len(accounts)):
        for edge in range(start[accounts[place]], start[accounts[place] + 1]):
            member[at], shown[at] = place, value[edge]
            at += 1
    return member, shown


def values_of(accounts: Ints, edges: Edges) -> tuple[Ints, Ints]:
    """Return what accounts show, an entry a pair: the account's place among those given, and the value; by account."""
    found: tuple[Ints, Ints] = _values_of(accounts, edges.start, edges.value)
    return found


@njit(cache=True, nogil=True)
def _count_values(value, room):  # type: ignore[no-untyped-def]
    distinct = np.empty(len(value), np.int64)
    count = 0
    for each in value:
        if room[each] == 0:
            distinct[count] = each
            count += 1
        room[each] += 1
    return distinct[:count]


@njit(cache=True, nogil=True)
def _take_counts(distinct, room):  # type: ignore[no-untyped-def]
    times = np.empty(len(distinct), np.int64)
    for at in range(len(distinct)):
        times[at] = room[distinct[at]]
        room[distinct[at]] = 0
    return times


def tally_values(value: Ints, edges: Edges) -> tuple[Ints, Ints]:
    """Return the distinct ones of some values of an attribute, ascending, and how often each comes."""
    distinct: Ints = np.sort(_count_values(value, edges.room))
    return distinct, _take_counts(distinct, edges.room)


@njit(cache=True, nogil=True)
def _colleagues(value, org, own):  # type: ignore[no-untyped-def]
    """Write into `own`, for entries of a declared organisation, how many share the value and the organisation."""
    named = np.flatnonzero(org >= 0)
    if len(named) == 0:
        return
    wide = np.int64(org.max()) + 1
    order = np.argsort(value[named] * wide + org[named], kind="mergesort")
    begin = 0
    for at in range(1, len(order) + 1):
        first = named[order[begin]]
        if at < len(order):
            here = named[order[at]]
            if value[here] == value[first] and org[here] == org[first]:
                continue
        for each in range(begin, at):
            own[named[order[each]]] = at - begin
        begin = at


@njit(cache=True, nogil=True)
def _meet(member, value, org, edges, crowd, out):  # type: ignore[no-untyped-def]
    """Sum up for each member which shares of its values' other holders are members, and how many have others."""
    degree, inside = edges
    met, around = out
    own = np.ones(len(value), np.int64)
    _colleagues(value, org, own)
    for at in range(len(value)):
        inside[value[at]] += 1
    for at in range(len(value)):
        others = degree[value[at]] - own[at]
        if others > 0:
            weight = min(1.0, crowd / max(degree[value[at]], 1))
            met[member[at]] += (inside[value[at]] - own[at]) / others * weight
            around[member[at]] += weight
    for at in range(len(value)):
        inside[value[at]] = 0


def shared_values(shown: tuple[Ints, Ints, Ints], edges: Edges, members: int, crowd: float) -> tuple[Sums, Sums]:
    """Return for each of `members` the shares of other holders inside, summed, and how many of its values have others.

    `shown` holds an entry a pair: the member's position, the value's code, and the member's organisation (-1: none);
    an entry counts its own organisation's entries of the same value as no others. A value with more than `crowd`
    holders weighs less by as much.
    """
    out = np.zeros(members), np.zeros(members)
    _meet(*shown, (edges.degree, edges.room), crowd, out)
    return out


@njit(cache=True, nogil=True)
def _count_meetings(member, minute, moves, scale, bins):  # type: ignore[no-untyped-def]
    """Count the pairs of members in the same bin, for minutes as they are and after each row of `moves`."""
    rows = len(moves) + 1
    pairs = np.zeros(rows, np.int64)
    last, crowd, seen = np.full(bins, -1, np.int64), np.zeros(bins, np.int64), np.full(bins, -1, np.int64)
    for row in range(rows):
        for at in range(len(minute)):
            bin = (minute[at] if row == 0 else moves[row - 1, at]) // scale
            if seen[bin] != row:
                seen[bin], crowd[bin], last[bin] = row, 0, -1
            if last[bin] != member[at]:
                last[bin] = member[at]
                pairs[row] += crowd[bin]
                crowd[bin] += 1
    return pairs


@njit(cache=True, nogil=True)
def _move(member, minute, shifts, first, days):  # type: ignore[no-untyped-def]
    place, size = np.empty(days, np.int64), np.zeros(2, np.int64)
    of_kind = np.empty((2, days), np.int64)
    for day in range(days):
        kind = np.int64((day + first + 3) % 7 >= 5)  # 1970-01-01 was a Thursday
        place[day] = size[kind]
        of_kind[kind, size[kind]] = day
        size[kind] += 1
    moved = np.empty((len(shifts), len(minute)), np.int64)
    for row in range(len(shifts)):
        for at in range(len(minute)):
            day = minute[at] // 1_440
            kind = np.int64((day + first + 3) % 7 >= 5)
            other = of_kind[kind, (place[day] + shifts[row, member[at]]) % size[kind]]
            moved[row, at] = other * 1_440 + minute[at] % 1_440
    return moved


def move_to_other_days(member: Ints, minute: Ints, shifts: Ints, first: int, days: int) -> Ints:
    """Move minutes by so many working days or, at weekends, days off: an office rests together without a scheduler.

    `shifts` has a row a shuffle and a column a member; minutes count from day `first` since 1970, of `days` in all.
    Returns (shuffles, entries).
    """
    moved: Ints = _move(member, minute, shifts, first, days)
    return moved


def meetings(member: Ints, minute: Ints, moves: Ints, scale: int) -> list[int]:
    """Count pairs of members active within the same `scale` minutes: as they are, then after each row of `moves`.

    `member` is ascending; `minute` and the rows of `moves` (shuffles, entries) start at 0.
    """
    bins = int(max(minute.max(initial=0), moves.max(initial=0))) // scale + 1
    return [int(count) for count in _count_meetings(member, minute, moves, scale, bins)]


@njit(cache=True, nogil=True)
def _middle_of_rest(ordered, left_out, centre):  # type: ignore[no-untyped-def]
    """Return the median of |value - centre| over `ordered` without the places in `left_out` (both ascending)."""
    size = len(ordered) - len(left_out)
    right = np.searchsorted(ordered, centre)
    left = right - 1
    right_out = np.searchsorted(left_out, right)
    left_gone = right_out - 1
    low, high = (size - 1) // 2, size // 2
    taken, first = -1, 0.0
    while True:
        while left >= 0 and left_gone >= 0 and left_out[left_gone] == left:
            left -= 1
            left_gone -= 1
        while right < len(ordered) and right_out < len(left_out) and left_out[right_out] == right:
            right += 1
            right_out += 1
        if right >= len(ordered) or (left >= 0 and centre - ordered[left] <= ordered[right] - centre):
            value = abs(ordered[left] - centre)
            left -= 1
        else:
            value = abs(ordered[right] - centre)
            right += 1
        taken += 1
        if taken == low:
            first = value
        if taken == high:
            return (first + value) / 2.0


def spread_of_rest(ordered: Sums, left_out: Ints) -> tuple[float, float]:
    """Return the median, and the median absolute deviation from it, of ascending values without some places.

    `left_out` holds the places, ascending; at least one value must remain.
    """
    size = len(ordered) - len(left_out)
    places = np.array([(size - 1) // 2, size // 2])
    gone = left_out - np.arange(len(left_out))  # how many remain before each place left out
    low, high = ordered[places + np.searchsorted(gone, places, side="right")]
    centre = (low + high) / 2.0
    return float(centre), float(_middle_of_rest(ordered, left_out, centre))
