"""The groups put together: exchanges in order of time, accounts dealt new numbers, so that no order tells who is who.

The exchanges stay where each group made them: they are gathered part by part when they are written, so that the plan
of a whole population is held once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab.chance import Array
from stillwatch.lab.kernels import order_by
from stillwatch.lab.world import EXCHANGE, Group, World, place_rows


@dataclass(frozen=True)
class Settled:
    """Everybody, and what they send in order of time."""

    accounts: Array
    licences: tuple[dict[str, str], ...]
    parts: tuple[Array, ...]  # the exchanges of each group, in no order
    order: Array  # u32: places in the parts laid end to end, of the exchanges within the span, by time

    def rows(self, first: int, last: int) -> Array:
        """The exchanges at these places in order of time."""
        wanted = self.order[first:last]
        ends = np.cumsum([len(part) for part in self.parts])
        part_of = np.searchsorted(ends, wanted, side="right")
        by_part = order_by(part_of)
        edges = np.searchsorted(part_of[by_part], np.arange(len(self.parts) + 1))
        out = np.empty(len(wanted), EXCHANGE)
        for number, part in enumerate(self.parts):
            places = by_part[edges[number] : edges[number + 1]]
            if len(places):
                place_rows(part, wanted[places].astype(np.int64) - (ends[number] - len(part)), out, places)
        return out

    def column(self, name: str) -> Array:
        """One column of all exchanges, in order of time."""
        return np.concatenate([part[name] for part in self.parts])[self.order]


def settle(world: World, groups: list[Group]) -> Settled:
    """Deal accounts new numbers, drop those never seen, and order the exchanges within the span by time."""
    rng = world.chance("order")
    accounts = np.concatenate([group.accounts for group in groups])
    parts = tuple(group.exchanges for group in groups)
    shifts = np.cumsum([0, *(len(group.accounts) for group in groups)])
    ts = np.concatenate([part["ts"] for part in parts]) - world.start
    within = (ts >= 0) & (ts < world.span)
    order = order_by(np.where(within, ts, world.span))[: np.count_nonzero(within)]
    active = np.zeros(len(accounts), bool)
    seen = np.cumsum([0, *map(len, parts)])
    for number, part in enumerate(parts):
        active[shifts[number] + part["account"][within[seen[number] : seen[number + 1]]]] = True
    keep = rng.permutation(np.flatnonzero(active | (accounts["lookalike"] < 0) & (accounts["campaign"] < 0)))
    numbers = np.full(len(accounts), -1, np.int32)
    numbers[keep] = np.arange(len(keep))
    for number, part in enumerate(parts):
        part["account"] = numbers[shifts[number] :][part["account"]]
    licences = tuple(row for group in groups for row in group.licences)
    return Settled(_plausible(accounts[keep]), licences, parts, order)


def _plausible(accounts: Array) -> Array:
    """Free plans pay with nothing; who has no phone was not verified by one."""
    accounts["payment"] = np.where(accounts["plan"] == 0, 0, accounts["payment"])
    no_card = (accounts["payment"] == 0) & (accounts["verification"] == 3)
    accounts["verification"] = np.where(no_card, 2, accounts["verification"])
    no_phone = (accounts["phone"] == 0) & (accounts["verification"] == 2)
    accounts["verification"] = np.where(no_phone, 1, accounts["verification"])
    return accounts
