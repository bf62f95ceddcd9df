"""What a watcher follows: something that gives new exchanges from a position on, and the position after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from stillwatch.ingest.columns import EXCHANGE_COLUMNS
from stillwatch.ingest.sources import Origin
from stillwatch.model import StillwatchError

Position = Mapping[str, Any]  # JSON, the source's own affair but for `refused`: what is set aside now, and why
Tell = Callable[[str], None]


class SourceLost(StillwatchError):
    """A source that does not answer now, and may later."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some new exchanges, for `ingest` to read.

    `after` gives the position once they are kept; it is told which origins turned out to be unreadable, and why.
    `places` says where the rows of a copy stood: a number to add, or the place of each row.
    """

    origins: tuple[Origin, ...]
    after: Callable[[Mapping[str, str]], Position]
    places: Mapping[str, int | np.ndarray] = field(default_factory=dict)


class Source(Protocol):
    """A folder, a topic, a table."""

    name: str  # as the user wrote it, without secrets: positions are kept under it

    def sweep(self, position: Position, now: int, /) -> Iterator[Batch]:
        """Yield everything that is there at this moment and lies after a position, then end. Raises SourceLost."""

    def read_until(self, now: int, /) -> int:
        """After a sweep that began at `now`: the time up to which everything that was there has been read."""

    def unsettled(self) -> bool:
        """Whether the last sweep left something unread because it may still be in the writing."""


def known_columns(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Names that a piece of a log may have: a few lines do not show every column of the whole."""
    return (*fields, *(column.name for column in EXCHANGE_COLUMNS if column.name not in fields))


def refusals(positions: Mapping[str, Position]) -> dict[str, str]:
    """Everything that is set aside now."""
    return {label: mend for each in positions.values() for label, mend in each.get("refused", {}).items()}
