"""Which evasions there are, what is asked of them, and the operation that they are applied to."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from stillwatch.lab.chance import Array
from stillwatch.lab.scenario import Scenario
from stillwatch.lab.world import World
from stillwatch.model import UsageError

CATALOGUE = Path(__file__).parent / "catalogue.toml"
EXCLUSIVE = ("partition", "redundancy")
Asked = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Evasion:
    """One way to hide."""

    name: str
    does: str
    full: str  # what strength 1 means
    source: str


@cache
def evasions() -> dict[str, Evasion]:
    """All evasions by name."""
    table = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["evasions"]
    return {name: Evasion(name, **entry) for name, entry in table.items()}


@cache
def combinations() -> dict[str, dict[str, float]]:
    """Named combinations: the strength of each part at strength 1 of the whole."""
    table: dict[str, dict[str, float]] = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["combinations"]
    return table


def strengths(asked: Asked) -> dict[str, float]:
    """The strength of each evasion that is asked for; combinations are resolved, the stronger of two demands holds."""
    found: dict[str, float] = {}
    for name, strength in asked:
        if not 0.0 <= strength <= 1.0:
            raise UsageError(f"evasion {name}={strength:g}: a strength lies between 0 and 1")
        if name not in evasions() and name not in combinations():
            known = ", ".join([*evasions(), *combinations()])
            raise UsageError(f"no evasion {name!r}; there are {known}")
        for part, weight in combinations().get(name, {name: 1.0}).items():
            found[part] = max(found.get(part, 0.0), weight * strength)
    active = {name: found[name] for name in evasions() if found.get(name, 0.0) > 0}
    if all(name in active for name in EXCLUSIVE):
        raise UsageError("evasions partition and redundancy contradict each other; give one of them")
    return active


def parse(words: list[str]) -> Asked:
    """Evasions as a command line gives them: `paraphrase=0.5`; a name alone means strength 1."""
    asked = []
    for word in words:
        name, _, strength = word.partition("=")
        try:
            asked.append((name, float(strength or 1.0)))
        except ValueError:
            raise UsageError(f"evasion {word!r}: write NAME=STRENGTH, as in paraphrase=0.5") from None
    return tuple(asked)


@dataclass(frozen=True)
class Operation:
    """One planted operation: the stage, its scenario, and how it hides."""

    world: World
    scenario: Scenario
    hides: dict[str, float] = field(default_factory=dict)  # strength by evasion

    def strength(self, name: str) -> float:
        """How strongly one evasion is applied; 0 where it is not."""
        return self.hides.get(name, 0.0)

    def chance(self, name: str, *more: str) -> np.random.Generator:
        """The stream of one evasion in this operation."""
        return self.world.chance("evasion", name, self.scenario.name, *more)

    def joined(self, name: str, count: int) -> Array:
        """Which of `count` accounts take part at the given strength; a higher strength keeps them and adds others."""
        joined: Array = self.chance(name, "who").random(count) < self.strength(name)
        return joined
