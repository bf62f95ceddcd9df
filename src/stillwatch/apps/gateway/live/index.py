"""The index of known campaigns: one folder, never changed, mapped by every worker and asked in a few microseconds.

It holds no text and no value, only keyed hashes: which campaigns own a frame, an address, a client, a card, a handle,
and which accounts are tied to them. A value that strangers show too is not in it (`indicators`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from stillwatch.apps.gateway.live.values import ARTEFACT, CONTENT, FAMILY, FUNDING, INFRASTRUCTURE, KINDS
from stillwatch.model import InputRefused, UsageError, VerdictKind
from stillwatch.sketch.templates import check_word
from stillwatch.sketch.text import SketchKey

FORMAT = 1
ABOUT = "about.json"
NUMBERS = ("version", "since", "until", "windows", "exchanges", "accounts")
HOURS = 24  # of a campaign's volume
MOST_ASKED = 256  # values of one request that are looked up
MOST_FOUND = 1024  # rows of the index that one request meets
GRAVE = (VerdictKind.SUSPECT, VerdictKind.DISTILLATION)
SEVERITY = {kind: rank for rank, kind in enumerate(VerdictKind)}
_FAMILY = tuple(FAMILY[kind] for kind in KINDS)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KnownCampaign:
    """A campaign as the last run concluded it; times are µs since 1970, UTC."""

    campaign_id: str
    verdict: VerdictKind
    p: float
    coordination_bits: float
    extraction_bits: float
    deception_bits: float
    accounts: int
    first_seen: int
    last_seen: int

    @property
    def grave(self) -> bool:
        """Whether its indicators count, and its accounts are members."""
        return self.verdict in GRAVE


@dataclass(frozen=True, slots=True)
class Member:
    """An account that a run tied to a campaign, and the families that tie it."""

    number: int  # of the campaign in the index
    p: float
    families: int


@dataclass(frozen=True, slots=True)
class Match:
    """What of a request belongs to one known campaign."""

    number: int
    campaign: KnownCampaign
    families: int

    @property
    def content(self) -> bool:
        """Whether its template, or its system prompt, belongs to the campaign alone."""
        return bool(self.families & CONTENT)

    @property
    def infrastructure(self) -> bool:
        """Whether it comes by an address, a network or a client that only the campaign uses."""
        return bool(self.families & INFRASTRUCTURE)

    @property
    def funding(self) -> bool:
        """Whether its account was registered with what only the campaign's accounts have."""
        return bool(self.families & FUNDING)

    @property
    def artefact(self) -> bool:
        """Whether it carries a handle that was minted for an account of the campaign."""
        return bool(self.families & ARTEFACT)

    @property
    def count(self) -> int:
        """How many families match."""
        return self.families.bit_count()

    @property
    def continues(self) -> bool:
        """Whether the request goes on with the campaign's work: an address or a card does not say what it is for."""
        return self.content or self.artefact


@dataclass(frozen=True, slots=True)
class Columns:
    """The arrays of an index: indicators by name, ascending; members and cleared accounts likewise."""

    names: Ints
    kinds: npt.NDArray[np.uint8]  # places in KINDS
    campaigns: npt.NDArray[np.int32]
    until: Ints  # µs: when each expires
    members: Ints
    member_campaigns: npt.NDArray[np.int32]
    member_p: npt.NDArray[np.float64]
    member_families: npt.NDArray[np.uint8]
    cleared: Ints  # accounts that filled an indicator's frame, were judged, and are not of the campaign
    hours: Ints  # (campaigns, HOURS): exchanges of their accounts in each of the last hours

    @classmethod
    def empty(cls) -> Columns:
        """Columns without a row."""
        none, few = np.zeros(0, np.int64), np.zeros(0, np.int32)
        byte = np.zeros(0, np.uint8)
        return cls(none, byte, few, none, none, few, np.zeros(0), byte, none, np.zeros((0, HOURS), np.int64))


COLUMNS = tuple(each.name for each in dataclasses.fields(Columns))


@dataclass(frozen=True)
class Index:
    """What one publication says."""

    version: int = 0
    since: int = 0  # µs: beginning of the last window, and its end
    until: int = 0
    windows: int = 0  # folded so far, with their exchanges and accounts
    exchanges: int = 0
    accounts: int = 0
    campaigns: tuple[KnownCampaign, ...] = ()
    columns: Columns = field(default_factory=Columns.empty, repr=False)
    _asked: Ints = field(default_factory=lambda: np.zeros(MOST_ASKED, np.int64), repr=False)
    _found: Ints = field(default_factory=lambda: np.zeros(MOST_FOUND, np.int64), repr=False)

    def member(self, name: int) -> Member | None:
        """The account of this name, where it is tied to a campaign."""
        row = _row_of(self.columns.members, name)
        if row < 0:
            return None
        held = self.columns
        return Member(int(held.member_campaigns[row]), float(held.member_p[row]), int(held.member_families[row]))

    def match(self, names: Sequence[int], account: int, moment: int) -> Match | None:
        """Return the campaign that most of what a request shows belongs to; None when nothing does.

        `names` are those of everything shown, `account` is the account's own. One thread at a time.
        """
        families = self._families(names, moment)
        if not families:
            return None
        if any(bits & CONTENT for bits in families.values()) and _row_of(self.columns.cleared, account) >= 0:
            families = {number: bits & ~CONTENT for number, bits in families.items() if bits & ~CONTENT}
        best = max(families, key=lambda number: self._weight(number, families[number]), default=None)
        return None if best is None else Match(best, self.campaigns[best], families[best])

    def _families(self, names: Sequence[int], moment: int) -> dict[int, int]:
        held, asked = self.columns, self._asked
        count = min(len(names), MOST_ASKED)
        for at in range(count):
            asked[at] = names[at]
        found = _find(held.names, held.until, asked, count, moment, self._found)
        families: dict[int, int] = {}
        for row in self._found[:found].tolist():
            number = int(held.campaigns[row])
            families[number] = families.get(number, 0) | _FAMILY[held.kinds[row]]
        return families

    def _weight(self, number: int, families: int) -> tuple[int, int, int, float, int]:
        one = self.campaigns[number]
        return families.bit_count(), families & (CONTENT | ARTEFACT), SEVERITY[one.verdict], one.p, -number

    def exchanges_of(self, number: int, moment: int) -> int:
        """Exchanges of a campaign's accounts in the day before a moment, as far as they were published."""
        past = max(0, (moment - self.until) // 3_600_000_000)
        return int(self.columns.hours[number, min(past, HOURS) :].sum())

    def write(self, folder: Path, key: SketchKey) -> None:
        """Write the index into a folder."""
        for name in COLUMNS:
            np.save(folder / f"{name}.npy", getattr(self.columns, name))
        about = {name: getattr(self, name) for name in NUMBERS} | {
            "format": FORMAT,
            "check": check_word(key),
            "campaigns": [dataclasses.asdict(one) for one in self.campaigns],
        }
        (folder / ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")

    @classmethod
    def map(cls, folder: Path, key: SketchKey) -> Index:
        """Map an index. Raises UsageError for one of another secret, InputRefused for what is none."""
        about = read_about(folder)
        if about["check"] != check_word(key):
            raise UsageError(f"{folder}: was made with another secret; give this process the same STILLWATCH_SECRET")
        try:
            held = {name: _mapped(folder / f"{name}.npy") for name in COLUMNS}
            campaigns = (one | {"verdict": VerdictKind(one["verdict"])} for one in about["campaigns"])
            known = tuple(KnownCampaign(**one) for one in campaigns)
            return cls(**{name: about[name] for name in NUMBERS}, campaigns=known, columns=Columns(**held))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputRefused(f"{folder}: is a damaged index ({type(error).__name__})") from error


def read_about(folder: Path) -> dict[str, Any]:
    """What an index says of itself. Raises InputRefused for what is none of this version."""
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}")
        return about
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputRefused(f"{folder}: holds no index of this version ({type(error).__name__})") from error


def sorted_names(names: Iterable[int]) -> Ints:
    """Names as a column to search in."""
    return np.unique(np.fromiter(names, np.int64))


def _mapped(path: Path) -> Any:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)).view(np.ndarray)


@njit(nogil=True, cache=True)
def _first_row(names, name):  # type: ignore[no-untyped-def]
    low, high = 0, names.size
    while low < high:
        middle = (low + high) // 2
        if names[middle] < name:
            low = middle + 1
        else:
            high = middle
    return low


@njit(nogil=True, cache=True)
def _row_of(names, name):  # type: ignore[no-untyped-def]
    row = _first_row(names, name)
    return row if row < names.size and names[row] == name else -1


@njit(nogil=True, cache=True)
def _find(names, until, asked, count, moment, found):  # type: ignore[no-untyped-def]
    """Write the rows of every name asked for that have not expired; return how many."""
    rows = 0
    for at in range(count):
        row = _first_row(names, asked[at])
        while row < names.size and names[row] == asked[at] and rows < found.size:
            if until[row] > moment:
                found[rows] = row
                rows += 1
            row += 1
    return rows
