"""What a signal is: a pure function from sketches to a finding, with its axis, family and runbook line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.model import Axis, Family
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

Bits = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a signal saw in one group. `members`: bits by which each member is tied to the group, in member order."""

    bits: float
    because: str
    cites: tuple[str, ...] = ()
    members: Bits | None = None


Judge = Callable[[GroupSketch, Population], Finding | None]


@dataclass(frozen=True, slots=True)
class Signal:
    """One detector of the roster. Without every column of `needs` it is not evaluated, and the manifest says so."""

    name: str
    axis: Axis
    family: Family
    needs: tuple[str, ...]
    runbook: str  # what an analyst does first when it fires
    judge: Judge

    @property
    def why(self) -> str:
        """Return the first paragraph of the signal's module: the adversary's reason."""
        return (sys.modules[self.judge.__module__].__doc__ or "").strip().split("\n\n")[0]

    def missing(self, present: frozenset[str]) -> tuple[str, ...]:
        """Return the columns that this signal needs and the input lacks; `a|b` asks for either."""
        return tuple(need for need in self.needs if not set(need.split("|")) & present)

    def __call__(self, group: GroupSketch, population: Population) -> Finding | None:
        """Judge one group, once among the same accounts; None is silence."""
        known = group.memo.get(self.name)
        if known is None or known[0] is not population:
            known = group.memo[self.name] = (population, self.judge(group, population))
        found: Finding | None = known[1]
        return found


def signal(
    name: str, *, axis: Axis, family: Family, runbook: str, needs: tuple[str, ...] = ()
) -> Callable[[Judge], Signal]:
    """Make a function of (group, population) a signal of the roster."""
    return lambda judge: Signal(name, axis, family, needs, runbook, judge)
