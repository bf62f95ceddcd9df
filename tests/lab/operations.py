"""Operations planted for tests: one scenario, alone, with or without evasions."""

from __future__ import annotations

from functools import cache

import numpy as np

from stillwatch.lab.chance import Array
from stillwatch.lab.evasions.catalogue import Operation, strengths
from stillwatch.lab.grammar import grammar_of
from stillwatch.lab.planting import Planted, plant
from stillwatch.lab.population import Request, population
from stillwatch.lab.render import write
from stillwatch.lab.world import DAY, Group, World


def world_of(split: str = "tuning", days: int = 14) -> World:
    return World(5, split, days * DAY, grammar_of(split))


@cache
def _planted(name: str, split: str, asked: tuple[tuple[str, float], ...]) -> Planted:
    (part,) = population(Request(split=split, scenarios=(name,))).parts
    return plant(Operation(world_of(split), part.scenario, strengths(asked)), part.accounts, part.exchanges, 0)


def planted(name: str, split: str = "tuning", **evasions: float) -> Group:
    """The group of one scenario; `system_prompts=1` stands for system-prompts."""
    asked = tuple((evasion.replace("_", "-"), strength) for evasion, strength in evasions.items())
    return _planted(name, split, asked).group


def harvest(group: Group) -> Array:
    return group.exchanges[group.exchanges["campaign"] >= 0]


def texts(rows: Array, split: str = "tuning") -> list[str]:
    written: list[str] = write(grammar_of(split), rows["rule"], rows["item"], rows["author"]).to_pylist()
    return written


def differing(left: Array, right: Array) -> set[str]:
    """The columns in which two tables of equal length differ."""
    assert len(left) == len(right)
    return {name for name in left.dtype.names or () if not np.array_equal(left[name], right[name])}
