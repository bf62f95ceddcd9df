"""What every radioactivity report carries: the same test under random keys, which nobody can have trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from stillwatch.provenance.tails import Tail, uniformity

LEAST_KEYS = 40
DOUBT = 0.01  # random keys that look this little like chance: the test is wrong for this suspect
KeyT = TypeVar("KeyT")


@dataclass(frozen=True, slots=True)
class Calibration:
    """p-values of the same test under random keys. Raises ValueError for fewer than 40: then it shows nothing."""

    ps: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.ps) < LEAST_KEYS:
            raise ValueError(f"{len(self.ps)} random keys; a calibration needs {LEAST_KEYS}")

    @property
    def uniform_p(self) -> float:
        """How likely p-values this low are, if the test keeps what it promises."""
        return uniformity(self.ps)

    @property
    def sound(self) -> bool:
        """Whether random keys look like chance, so that the key's own p-value can be believed."""
        return self.uniform_p >= DOUBT

    def rank(self, p: float) -> float:
        """Return the share of keys, the tested one among them, that did as well: a p-value that assumes nothing."""
        return (1 + sum(each <= p for each in self.ps)) / (1 + len(self.ps))


def calibrate(test: Callable[[KeyT], Tail], keys: Sequence[KeyT]) -> Calibration:
    """Run a test under random keys."""
    return Calibration(tuple(test(key).p for key in keys))


def random_keys(count: int, seed: int) -> tuple[bytes, ...]:
    """Return keys that nobody serves anything under; a seed makes a report repeatable."""
    rng = np.random.default_rng(seed)
    return tuple(rng.bytes(32) for _ in range(count))
