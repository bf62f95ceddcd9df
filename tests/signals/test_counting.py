"""The kernels count what plain loops over everything count."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.signals.counting import meetings, spread_of_rest


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), min_size=1, max_size=60),
    st.integers(1, 20),
    st.integers(0, 3),
)
def test_members_meet_as_often_as_a_comparison_of_all_pairs_says(
    beats: list[tuple[int, int]], scale: int, shuffles: int
) -> None:
    member, minute = (np.array(column) for column in zip(*sorted(beats), strict=True))
    moves = np.stack([minute, *((minute * 7 + by) % 61 for by in range(shuffles))])
    for found, row in zip(meetings(member, minute, moves, scale), [minute, *moves], strict=True):
        seen = set(zip(member.tolist(), (row // scale).tolist(), strict=True))
        assert found == sum(one[1] == other[1] and one[0] < other[0] for one in seen for other in seen)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=40), st.data())
def test_the_spread_of_the_rest_is_that_of_a_list_without_the_places_left_out(
    values: list[float], data: st.DataObject
) -> None:
    ordered = np.sort(np.array(values, float))
    out = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=len(values) - 1))
    left_out = np.array(sorted(out), np.int64)
    rest = np.delete(ordered, left_out)
    centre, deviation = spread_of_rest(ordered, left_out)
    assert centre == np.median(rest)
    assert deviation == np.median(np.abs(rest - np.median(rest)))
