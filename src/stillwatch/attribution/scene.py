"""What one campaign, and the pool that its accounts belong to, show of the things that actors are known by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.attribution.keyed import Keyed
from stillwatch.campaigns.phases import Closer
from stillwatch.campaigns.traces import with_stacks
from stillwatch.sketch.population import DAY_US, Edges, Ints, Population

EPOCH = dt.date(1970, 1, 1)
Bools = npt.NDArray[np.bool_]
Found = tuple[float, str] | None  # bits and the observation in words; None: the log cannot show it


@dataclass(frozen=True)  # no slots: the view below is computed once
class Setting:
    """A run: its population, and its known actors keyed."""

    population: Population
    keyed: Keyed

    @cached_property
    def edges(self) -> Mapping[str, Edges]:
        """Attribute values by kind, clients among them."""
        return with_stacks(self.population)

    @cached_property
    def networks(self) -> Mapping[int, Ints]:
        """The accounts (indices) seen in each listed autonomous system."""
        ids = self.population.ids
        return {number: index_of(accounts, ids) for number, accounts in self.keyed.networks.items()}

    @property
    def days(self) -> tuple[dt.date, dt.date]:
        """The first and the last day of the log."""
        return day_of(self.population.start // DAY_US), day_of(self.population.end // DAY_US)


@dataclass(frozen=True, slots=True)
class Scene:
    """One campaign, or the pool behind it: whom to look at, and what their exchanges in it show.

    `exclusive` are the accounts that serve no other campaign: only what they do elsewhere may be held against it.
    """

    accounts: Ints
    exclusive: Ints = field(repr=False)
    clock: Ints = field(repr=False)  # exchanges by hour of day, UTC
    closer: Closer = field(repr=False, default_factory=Closer)
    models: Mapping[tuple[str, int], int] = field(repr=False, default_factory=dict)  # exchanges by (model, day)

    @property
    def daily(self) -> dict[dt.date, int]:
        """Exchanges by day."""
        days: dict[dt.date, int] = {}
        for day, _, exchanges in self.closer.days:
            days[day_of(day)] = days.get(day_of(day), 0) + exchanges
        return days


def day_of(number: int) -> dt.date:
    """Return the date of a day since 1970."""
    return EPOCH + dt.timedelta(days=int(number))


def index_of(accounts: pa.Array, ids: pa.Array) -> Ints:
    """Return the indices of accounts in a population."""
    found: Ints = pc.index_in(accounts, value_set=ids).to_numpy().astype(np.int64)
    return found
