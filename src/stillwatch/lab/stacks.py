"""Client stacks: what strangers share because they installed the same popular library."""

from __future__ import annotations

import csv
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

import numpy as np

from stillwatch.lab.chance import Array
from stillwatch.lab.grammar import CORPUS

# Rare stacks: own builds and forks that an operator or a company runs, one number each; see `rare_stack`.
RARE = 400


@dataclass(frozen=True)
class Stacks:
    """User agents and TLS fingerprints by stack number, with popularity."""

    names: tuple[str, ...]
    agents: tuple[str, ...]
    fingerprints: tuple[str, ...]
    weights: Array

    def draw(self, rng: np.random.Generator, count: int, *names: str) -> Array:
        """Stacks by popularity, among the named ones or all common ones."""
        fit = [i for i, name in enumerate(self.names) if name != "rare" and (not names or name in names)]
        weight = self.weights[fit] / self.weights[fit].sum()
        return np.array(fit, np.int16)[rng.choice(len(fit), count, p=weight)]


@cache
def own_stacks() -> Stacks:
    """The common stacks of the corpus, each version by falling popularity, then the rare ones."""
    names, agents, fingerprints, weights = [], [], [], []
    with (CORPUS / "stacks.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            for place, agent in enumerate(row["agents"].split("|")):
                names.append(row["name"])
                agents.append(agent)
                fingerprints.append(row["tls"])
                weights.append(float(row["weight"]) / (place + 1) ** 1.3)
    rng = np.random.default_rng(20)
    for number in range(RARE):
        major, minor = rng.integers(0, 9, 2)
        kind = ("python-httpx/0.2{}.{}", "Python/3.1{} aiohttp/3.{}.0", "axios/1.{}.{}", "Go-http-client/1.1")[
            number % 4
        ]
        names.append("rare")
        agents.append(kind.format(major, minor))
        fingerprints.append(
            f"t13d{rng.integers(10, 20)}{rng.integers(10, 20)}h1_{rng.bytes(6).hex()}_{rng.bytes(6).hex()}"
        )
        weights.append(0.0)
    return Stacks(tuple(names), tuple(agents), tuple(fingerprints), np.array(weights))


IN_USE: ContextVar[Stacks | None] = ContextVar("stacks", default=None)


def stacks() -> Stacks:
    """The stacks that traffic is being composed from: the corpus's unless other material is in use."""
    return IN_USE.get() or own_stacks()


def rare_stack(rng: np.random.Generator, count: int = 1) -> Array:
    """Stacks that few share."""
    return (len(stacks().names) - RARE + rng.integers(0, RARE, count)).astype(np.int16)
