"""Which window an exchange falls into."""

from __future__ import annotations

import numpy as np

from stillwatch.apps.watch.windows import Grid, Moment, together

GRID = Grid(every=100, lateness=10)


def test_an_exchange_belongs_to_the_window_of_its_time() -> None:
    ends, late = Moment(GRID, 1_000, None).ends(np.array([0, 99, 100, 250]))
    assert (ends.tolist(), late) == ([100, 100, 200, 300], 0)


def test_a_late_exchange_goes_into_the_first_open_window() -> None:
    ends, late = Moment(GRID, 1_000, 300).ends(np.array([50, 299, 300, 420]))
    assert (ends.tolist(), late) == ([400, 400, 400, 500], 2)


def test_an_exchange_from_the_future_does_not_wait_for_it() -> None:
    ends, _ = Moment(GRID, 195, None).ends(np.array([120, 9_000_000]))
    assert ends.tolist() == [200, 200]


def test_a_clock_a_little_ahead_is_believed() -> None:
    ends, _ = Moment(GRID, 195, None).ends(np.array([203, 206]))
    assert ends.tolist() == [300, 200]


def test_a_clock_that_is_set_back_opens_no_closed_window() -> None:
    ends, _ = Moment(GRID, 50, 300).ends(np.array([40, 310]))
    assert ends.tolist() == [400, 400]
    assert Moment(GRID, 50, 300).first_open() == 400


def test_windows_stay_apart_when_their_length_is_changed() -> None:
    ends, _ = Moment(Grid(250, 0), 1_000, 300).ends(np.array([290, 310, 600]))
    assert ends.tolist() == [500, 500, 750]


def test_a_window_closes_after_the_lateness_and_only_when_it_was_read_to_its_end() -> None:
    assert GRID.due([200, 100, 200], now=210, read_until=210) == [100, 200]
    assert GRID.due([100, 200], now=209, read_until=209) == [100]
    assert GRID.due([100, 200], now=500, read_until=150) == [100]


def test_a_few_windows_are_concluded_in_turn_and_many_at_once() -> None:
    assert together([100, 200], behind=2) == [(100,), (200,)]
    assert together([100, 200, 300], behind=2) == [(100, 200, 300)]
