"""What `validate` says: records, and their plain form for JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

from stillwatch.ingest.abilities import Supported


@dataclass(frozen=True, slots=True)
class ColumnSupport:
    """One column of the contract in this input; `share` of rows with a value, 0 to 1."""

    name: str
    present: bool
    share: float
    meaning: str


@dataclass(frozen=True, slots=True)
class Mend:
    """One kind of rejection: how many rows it cost and one example of the mend."""

    field: str
    rows: int
    example: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of whole hours without any exchange, UTC; `until` is the first hour with exchanges again."""

    since: dt.datetime
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Strangers:
    """Accounts of the log that the accounts table lacks, and accounts of the table that never appear in the log."""

    missing: int
    unused: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Support:
    """What a log holds and what that allows. Times are UTC; `seconds_apart` is the grain of the clock in seconds."""

    rows_read: int
    rows_kept: int
    rows_rejected: int
    duplicates: int
    mends: tuple[Mend, ...]
    first_seen: dt.datetime | None
    last_seen: dt.datetime | None
    seconds_apart: float
    gaps: tuple[Gap, ...]
    hours_without: int
    accounts: int
    models: int
    median_prompt_characters: int | None
    long_prompts: float
    columns: tuple[ColumnSupport, ...]
    strangers: Strangers | None
    notes: tuple[str, ...]
    abilities: tuple[Supported, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; times as ISO 8601 with offset."""
        return _plain(dataclasses.asdict(self))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.replace(tzinfo=dt.UTC).isoformat() if isinstance(value, dt.datetime) else value
