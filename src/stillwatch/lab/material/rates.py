"""Real rhythms: how often clients of a production service asked, ten minutes by ten minutes over two weeks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numba
import numpy as np
import pyarrow.csv as pcsv

from stillwatch.lab.chance import Array, mix

WINDOW = 600_000_000  # microseconds
A_DAY = 144  # windows
QUIET = 0.02  # of the mean rate, kept in windows without any, so that every account has a moment to be seen in
_FILES = {"tuning": "servegen_m-small", "report": "servegen_m-mid"}


@dataclass(frozen=True)
class Rates:
    """Clients by window: share of the client's requests (f8, sums to one) and variation of its gaps (f8)."""

    share: Array
    variation: Array

    def client_of(self, salts: Array) -> Array:
        """The client whose rhythm an account has; i64."""
        return (mix(salts ^ np.uint64(0xC11E27)) % np.uint64(len(self.share))).astype(np.int64)

    def profiles(self, client: Array, zone: Array, windows: int, habit: Array) -> tuple[Array, Array]:
        """What part of its traffic lies before each window, and the gaps' variation in it, for pairs of client, zone.

        `habit` weighs the windows by the local hours of a profile: f8[pairs, windows].
        """
        at = (np.arange(windows)[None, :] + (6 * zone)[:, None]) % self.share.shape[1]
        rate = self.share[client[:, None], at]
        weight = (rate + QUIET / self.share.shape[1]) * habit
        before = np.zeros((len(client), windows + 1))
        np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1, out=before[:, 1:])
        return before, self.variation[client[:, None], at]


@cache
def published_rates(folder: Path, split: str) -> Rates:
    """The clients of one trace: one trace for each split."""
    table = pcsv.read_csv(folder / f"{_FILES[split]}.csv.gz")
    client, window = table["client"].to_numpy(), table["window_start_s"].to_numpy() // 600
    _, row = np.unique(client, return_inverse=True)
    rate = np.zeros((len(np.unique(client)), int(window.max()) + 1))
    variation = np.ones_like(rate)
    rate[row, window] = table["requests_per_s"].to_numpy()
    measured = table["cv"].to_numpy()
    variation[row, window] = np.where(measured > 0, np.clip(measured, 0.3, 8.0), 1.0)
    active = (rate > 0).sum(axis=1) >= A_DAY  # who was there for less than a day has no rhythm to lend
    rate, variation = rate[active], variation[active]
    return Rates(rate / rate.sum(axis=1, keepdims=True), variation)


@numba.njit(cache=True, nogil=True)
def spread_over(before, row, first, last, draw):  # type: ignore[no-untyped-def]
    """The place in windows (f8) of each draw between two places, by a profile's cumulative shares."""
    windows = before.shape[1] - 1
    out = np.empty(len(row))
    for at in range(len(row)):
        profile = before[row[at]]
        low, high = _share_at(profile, first[at]), _share_at(profile, last[at])
        wanted = low + draw[at] * max(high - low, 1e-12)
        window = min(max(np.searchsorted(profile, wanted, side="right") - 1, 0), windows - 1)
        size = profile[window + 1] - profile[window]
        place = window + ((wanted - profile[window]) / size if size > 0 else 0.0)
        out[at] = min(max(place, first[at]), last[at])
    return out


@numba.njit(inline="always")
def _share_at(profile, place):  # type: ignore[no-untyped-def]
    windows = len(profile) - 1
    window = min(max(np.int64(place), 0), windows - 1)
    inside = min(max(place - window, 0.0), 1.0)
    return profile[window] + inside * (profile[window + 1] - profile[window])  # type: ignore[operator]


def regroup(rng: np.random.Generator, account: Array, place: Array, variation: Array) -> Array:
    """Moments of one account within one window, with gaps as uneven as measured there instead of by mere chance.

    `place` is in windows; `variation` is of each row's window: gaps are gamma with that coefficient of variation.
    """
    window = place.astype(np.int64)
    gaps = rng.standard_gamma(1.0 / variation**2)
    order = np.lexsort((place, account))
    key = account[order] * (int(window.max()) + 1 if len(window) else 1) + window[order]
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    size = np.diff(begins, append=len(key))
    total = np.cumsum(gaps[order])
    before = np.repeat(total[begins] - gaps[order][begins], size)
    whole = np.repeat(total[begins + size - 1], size) - before
    slack = rng.standard_gamma(1.0 / variation[order] ** 2)[begins]  # after the last one
    inside = (total - before) / (whole + np.repeat(slack, size) + 1e-300)
    many = np.repeat(size, size) > 1
    moved = np.where(many, window[order] + np.clip(inside, 0.0, 1.0 - 1e-9), place[order])
    result = np.empty(len(place))
    result[order] = moved
    return result
