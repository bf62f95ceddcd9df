"""The three comparisons that most signals make: shared values, near values and shares, each against everyone else.

All are log2 likelihood ratios of the same shape: of the other accounts that show what this account shows, which share
is in the group, over the share that chance would put there. Common values tie nobody, because their other holders are
everywhere; the prior weight keeps one coincidence from deciding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.signals.base import Bits, Finding
from stillwatch.signals.counting import shared_values, values_of
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import NEVER, Edges, Ints, Population

MUCH = 20  # exchanges in a frame that are work, whatever else the account does
CROWD = 50.0  # accounts at one address: more than an operator risks on one exit, so a campus, a carrier, an office
PRIOR = 2.0  # pseudo-accounts at chance level: one shared value between two strangers then gives a third of certainty


def co_use(accounts: Ints, edges: Edges, population: Population, crowd: float = np.inf) -> Bits:
    """Return the bits that tie each member to the group by values it shares with other members.

    The mean is taken over those of its values that anyone else shows, so one coincidence among many addresses weighs
    little. What accounts of one declared organisation share with each other is declared and does not count (Fellegi and
    Sunter 1969 with term-frequency adjustment, restated for a group). A value with more than `crowd` accounts is a
    place, and says less the more it has, for and against.
    """
    member, value = values_of(accounts, edges)
    shown = member, value, population.organisation[accounts][member]
    met, around = shared_values(shown, edges, len(accounts), crowd)
    return _tie(met, around, len(accounts), population.size)


def near(own: Ints, everyone: Ints, width: int, apart: Ints | None = None) -> Bits:
    """Return the bits that tie each member to the group by having a value within ±`width` of other members'.

    `own` holds a value a member, NEVER where not known; `everyone` all known values, ascending, theirs among them.
    Where `apart` is given, it holds those of everyone that are not compared with, and `own` comes on top of the rest.
    """
    group = np.sort(own[own != NEVER])
    around, total = _within(everyone, own, width), len(everyone)
    inside = _within(group, own, width)
    if apart is not None:
        around = around - _within(apart, own, width) + inside
        total += len(group) - len(apart)
    unknown = own == NEVER
    inside, around = np.where(unknown, 0, inside - 1), np.where(unknown, 0, around - 1)
    return _tie(inside.astype(float), around.astype(float), len(group), total)


def share_near(values: Ints, width: int, chance: float) -> Bits:
    """Return the bits by which each value has others of the same set within ±`width`, over the share by chance."""
    inside = _within(np.sort(values), values, width) - 1
    bits: Bits = np.log2((inside + PRIOR * chance) / (len(values) - 1 + PRIOR) / chance)
    return bits


def _within(ordered: Ints, points: Ints, width: int) -> Ints:
    safe = np.where(points == NEVER, 0, points)  # not known: its counts are dropped by the caller
    return np.searchsorted(ordered, safe + width, side="right") - np.searchsorted(ordered, safe - width, side="left")


def _tie(inside: Bits, around: Bits, members: int, size: int) -> Bits:
    chance = max(members - 1, 1) / max(size - 1, 1)
    if chance >= 1:
        return np.zeros(len(inside))
    bits: Bits = np.log2((inside + PRIOR * chance) / (around + PRIOR) / chance)
    return np.where(around > 0, bits, 0.0)


def over(inside: float, outside: float, floor: float) -> float:
    """Return log2 of how much larger one share is than another, neither trusted below `floor`."""
    return float(np.log2((inside + floor) / (outside + floor)))


def beyond_luck(inside: float, outside: float, members: int) -> float:
    """Return a group's share less one standard error of as many strangers', though never less than theirs.

    Two of ten is no more than one of ten, by luck; twenty of a hundred is. So a handful is held to what it can show.
    """
    error = float(np.sqrt(outside * (1.0 - outside) / max(members, 1)))
    return max(inside - error, min(inside, outside))


@dataclass(frozen=True, slots=True)
class Rest:
    """Everyone who is not in a group, by what is left of the totals."""

    group: GroupSketch
    population: Population

    @property
    def size(self) -> int:
        """How many accounts there are outside the group."""
        return self.population.size - self.group.size

    def sum(self, name: str) -> int:
        """Sum one of USAGE_COLUMNS over them."""
        return int(self.population.totals[name] - self.population.usage[name][self.group.accounts].sum())

    def share(self, marked: npt.NDArray[np.bool_]) -> float:
        """Return which share of them is marked, of a mark for every account."""
        return float((np.count_nonzero(marked) - np.count_nonzero(marked[self.group.accounts])) / self.size)

    def a_exchange(self, name: str) -> float:
        """Sum of a column over them for each of their exchanges."""
        return float(self.sum(name) / max(self.sum("exchanges"), 1))


def devotion(group: GroupSketch, population: Population) -> Bits:
    """Return how far each member works within the group's frames, 0 to 1: by share of its exchanges, or by volume.

    A phrase that people use now and then is no frame of theirs; work hidden in other traffic still has volume.
    """
    own = group.sums["exchanges"]
    share = own / np.maximum(population.usage["exchanges"][group.accounts], 1)
    return np.maximum(np.minimum(share, 1.0), np.minimum(own / MUCH, 1.0))


def clip(bits: float, low: float, high: float) -> float:
    """Return bits within what one signal may say."""
    return float(min(max(bits, low), high))


def tied_by_values(
    group: GroupSketch, population: Population, kind: str, what: str, *, cap: float, crowd: float = np.inf
) -> Finding | None:
    """Return the finding that members share values of one attribute beyond chance; None where they do not."""
    bits = np.clip(co_use(group.accounts, population.edges[kind], population, crowd), -1.0, cap)
    tied = bits > 1.0
    mean = float(bits.mean())
    if abs(mean) < 0.05:
        return None
    because = f"{int(tied.sum())} of {group.size} members share {what}"
    return Finding(mean, because, group.cites if mean > 0 else (), bits)
