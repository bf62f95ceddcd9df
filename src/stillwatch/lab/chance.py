"""Chance as an argument: one seed grows into independent streams, and a hash decides what must stay decided.

Every group of the population draws from a stream of its own, named after it, so that adding a look-alike leaves the
traffic of all others as it was.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


def stream(seed: int, *names: str) -> np.random.Generator:
    """A generator that depends on the seed and on the names, and on nothing else."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def mix(values: Array | int) -> Array:
    """A well-mixed 64-bit number for each value (the finaliser of splitmix64)."""
    z = np.atleast_1d(np.asarray(values, dtype=np.uint64)) + GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _M1
    z = (z ^ (z >> np.uint64(27))) * _M2
    return z ^ (z >> np.uint64(31))


def stir(*parts: Array | int) -> Array:
    """One well-mixed number for each tuple of parts."""
    mixed = mix(parts[0])
    for part in parts[1:]:
        mixed = mix(mixed ^ mix(part))
    return mixed


def below(hashes: Array, limit: Array | int) -> Array:
    """Each hash folded into 0 … limit-1."""
    return (hashes % np.asarray(limit, dtype=np.uint64)).astype(np.int64)


def seeds(rng: np.random.Generator, count: int) -> Array:
    """Fresh 64-bit numbers."""
    return rng.integers(1, 2**63, count, dtype=np.int64).astype(np.uint64)


def heavy_tail(rng: np.random.Generator, count: int, total: float, sigma: float = 1.5) -> Array:
    """Log-normal volumes of at least one whose sum is about the total: few send much, most send little."""
    raw = rng.lognormal(0.0, sigma, count)
    return np.maximum(1.0, raw * (total / max(raw.sum(), 1e-9)))


def zipf_choice(rng: np.random.Generator, kinds: int, count: int, power: float = 1.0) -> Array:
    """Choices among `kinds` with heavy-tailed popularity: the first is the most popular."""
    weight = 1.0 / np.arange(1, kinds + 1) ** power
    return rng.choice(kinds, count, p=weight / weight.sum())


def choose(rng: np.random.Generator, weights: dict[int, float] | Array, count: int) -> Array:
    """Draws of the keys (or positions) by weight."""
    keys = np.array(list(weights)) if isinstance(weights, dict) else np.arange(len(weights))
    weight = np.array(list(weights.values()) if isinstance(weights, dict) else weights, dtype=float)
    return keys[rng.choice(len(keys), count, p=weight / weight.sum())]
