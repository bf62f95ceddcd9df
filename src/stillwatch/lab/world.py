"""The stage: when traffic is observed, what is for sale, and the two tables that every group of accounts fills.

`ACCOUNT` holds a person or a service with its habits, `EXCHANGE` one planned exchange; both are plain numpy records, so
that a group is two arrays and the whole population is their concatenation. Habits and labels never leave the lab's
label files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab.chance import Array, stream
from stillwatch.lab.grammar import Grammar
from stillwatch.lab.material import OWN, Material

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_788_739_200 * SECOND  # a Monday, 00:00 UTC

MODELS = ("aster-2-mini", "aster-2", "aster-2-max", "aster-3")
MINI, BASE, MAX, NEW = range(4)
CHANNELS = ("first-party", "bedrock", "vertex", "aggregator")
ENDPOINTS = ("/v1/messages", "/v1/chat/completions", "/v1/batches")
VERIFICATIONS = ("none", "email", "phone", "payment", "business")
PLANS = ("free", "pro", "team", "enterprise")
PROGRAMS = (None, "education", "research", "startup")

ACCOUNT = np.dtype(
    [
        *[("created", "i8"), ("suspended", "i8"), ("org", "i8"), ("domain", "i4"), ("payment", "u8"), ("phone", "u8")],
        *[("country", "i2"), ("verification", "i1"), ("plan", "i1"), ("program", "i1"), ("language", "i1")],
        *[("author", "u8"), ("zone", "i1"), ("profile", "i1"), ("since", "i8"), ("until", "i8"), ("volume", "f8")],
        *[("model", "i1"), ("adopts", "i8"), ("channel", "i1"), ("stack", "i2"), ("stack2", "i2"), ("keys", "i2")],
        *[("net", "i2"), ("anchor", "u8"), ("bits", "i1"), ("spread", "i4"), ("lease", "i8"), ("salt", "u8")],
        *[("net2", "i2"), ("anchor2", "u8"), ("share2", "f4"), ("temperature", "f4"), ("thinks", "f4")],
        *[("campaign", "i2"), ("pool", "i2"), ("lookalike", "i2")],
    ]
)

EXCHANGE = np.dtype(
    [
        *[("ts", "i8"), ("account", "i4"), ("rule", "i2"), ("item", "u8"), ("system", "i2"), ("tools", "i2")],
        *[("turns", "i2"), ("context", "i4"), ("output", "i4"), ("limit", "i4"), ("temperature", "f4"), ("n", "i1")],
        *[("stream", "?"), ("ip", "u8"), ("net", "i2"), ("stack", "i2"), ("key", "i2"), ("model", "i1")],
        *[("channel", "i1"), ("endpoint", "i1"), ("status", "i2"), ("minted", "u8"), ("submitted", "u8")],
        *[("campaign", "i2"), ("author", "u8")],
    ]
)


@dataclass(frozen=True)
class World:
    """What every group shares: the seed, the split, the span, the release of a new model, the corpus, the material."""

    seed: int
    split: str
    span: int
    grammar: Grammar
    start: int = START
    material: Material = OWN

    @property
    def end(self) -> int:
        """The last moment observed."""
        return self.start + self.span

    @property
    def release(self) -> int:
        """When the new model is released: a weekday afternoon in mid-span."""
        return self.start + int(self.span * 0.55) // DAY * DAY + 17 * HOUR

    def chance(self, *names: str) -> np.random.Generator:
        """The stream of one group."""
        return stream(self.seed, self.split, *names)

    def rule(self, name: str) -> int:
        """The number of a corpus rule."""
        return self.grammar.rule(name)


@dataclass(frozen=True)
class Group:
    """Accounts and what they send; `exchanges["account"]` counts within `accounts`."""

    accounts: Array
    exchanges: Array
    licences: tuple[dict[str, str], ...] = ()


def place_rows(rows: Array, numbers: Array, out: Array, places: Array) -> None:
    """Copy the records of the given numbers to these places, as bytes: numpy would copy them field by field."""
    _bytes(out)[places] = _bytes(rows).take(numbers, axis=0)


def _bytes(rows: Array) -> Array:
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
