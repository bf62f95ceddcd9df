"""The deployment's file of known actors: who they are said to be, by which traits, and how that is known.

A TOML file with an `[[actor]]` for each actor and an `[[actor.trait]]` for each of its traits. Where people are from
and what they speak is no trait: it says nothing of who runs a campaign, and it accuses strangers.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stillwatch.model import Grade, InputRefused

POOL, OWNER = "pool-operator", "workload-owner"
UNKNOWN = "unknown"
REFUSED_WORDS = frozenset(
    ("nationality", "citizenship", "country", "countries", "ethnicity", "language", "languages", "locale", "region",
     "timezone", "time_zone", "time-zone", "geography")
)  # fmt: skip
WHY_REFUSED = (
    "where people are from and what they speak is not evidence of who runs a campaign, and it accuses strangers; "
    "take it out (docs/why/020-two-layers-and-unknown.md), and give hours as UTC"
)
HOURS = 24


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 32:
        raise ValueError
    return value


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _domain(value: Any) -> str:
    word = _word(value).lower().rstrip(".")
    if "@" in word or "." not in word:
        raise ValueError
    return word


def _address(value: Any) -> str:
    return str(ipaddress.ip_address(_word(value)))


def _prefix(value: Any) -> str:
    """Return the text that every address of the network begins with, as the log writes addresses."""
    network = ipaddress.ip_network(_word(value))
    if network.version == 4 and network.prefixlen in (8, 16, 24):
        return ".".join(str(network.network_address).split(".")[: network.prefixlen // 8]) + "."
    if network.version == 6 and network.prefixlen in (32, 48):
        words = network.network_address.exploded.split(":")[: network.prefixlen // 16]
        if int(words[-1], 16):  # a word of zeros may be written in two ways
            return ":".join(f"{int(word, 16):x}" for word in words) + ":"
    raise ValueError


def _day(value: Any) -> dt.date:
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise ValueError
    return value


def _weekday(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 7:
        raise ValueError
    return value


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError
    return float(value)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of trait: whose it is, the family it is weighed in, the most bits it may give, and what a value is."""

    roles: tuple[str, ...]
    family: str  # kinds of a family depend on each other; two families are independent
    cap: float
    parse: Callable[[Any], Any]
    expected: str


KINDS: Mapping[str, Kind] = {
    "asn": Kind((POOL,), "infrastructure", 3.0, _number, "the number of an autonomous system, such as 64500"),
    "prefix": Kind((POOL,), "infrastructure", 5.0, _prefix,
                   "a network of IPv4 /8, /16 or /24, or of IPv6 /32 or /48 that does not end in zeros"),
    "address": Kind((POOL,), "infrastructure", 6.0, _address, "an IPv4 or IPv6 address"),
    "payment": Kind((POOL,), "funding", 6.0, _word, "a payment_fingerprint as the accounts table has it"),
    "phone": Kind((POOL,), "funding", 6.0, _word, "a phone_hash as the accounts table has it"),
    "mail-domain": Kind((POOL,), "funding", 3.0, _domain, "a mail domain, such as mail.example"),
    "client": Kind((POOL, OWNER), "client", 3.0, _word, "a user agent or a TLS fingerprint, whole"),
    "tool": Kind((OWNER,), "harness", 4.0, _word, "the name of a tool that is offered to the model"),
    "persona": Kind((OWNER,), "harness", 6.0, _word, "a system prompt, whole; its slots may hold anything"),
    "suite": Kind((OWNER,), "suites", 5.0, _word, "a template of the evaluation suite, with its slots filled or not"),
    "active-hours": Kind((OWNER,), "calendar", 1.5, _share, "24 numbers, the activity in each hour of the day, UTC"),
    "active-weekdays": Kind((OWNER,), "calendar", 1.0, _weekday, "a day of the week, 1 for Monday to 7 for Sunday"),
    "silent-days": Kind((OWNER,), "calendar", 4.0, _day, "a date without quotes, such as 2026-10-01"),
    "launch": Kind((OWNER,), "launches", 3.0, _day, "a date without quotes, such as 2026-10-01"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trait:
    """One trait of an actor; `values` as its kind parses them."""

    kind: str
    values: tuple[Any, ...]
    grade: Grade
    source: str
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None
    within_days: int = 7  # of a launch: how near to it its traffic gathers

    def valid(self, first: dt.date, last: dt.date) -> bool:
        """Return whether the trait held at some time between two days."""
        return (self.valid_from is None or self.valid_from <= last) and (
            self.valid_until is None or self.valid_until >= first
        )


@dataclass(frozen=True, slots=True)
class Actor:
    """One known actor, in one role."""

    actor_id: str
    name: str
    role: str
    traits: tuple[Trait, ...]


class TraitRow(BaseModel):
    """An `[[actor.trait]]` as it stands in the file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    kind: str
    values: list[Any] = Field(min_length=1)
    grade: Literal["observed", "inferred", "reported"]
    source: str = Field(min_length=1)
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None
    within_days: int = Field(default=7, ge=1, le=60)


class ActorRow(BaseModel):
    """An `[[actor]]` as it stands in the file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: str = Field(min_length=1)
    name: str = ""
    role: Literal["pool-operator", "workload-owner"]
    trait: list[TraitRow] = Field(min_length=1)


class ActorsFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    actor: list[ActorRow]


def read_actors(path: Path) -> tuple[Actor, ...]:
    """Return the actors of a file, in its order.

    Raises InputRefused that names file, actor, field and mend. Values are never repeated: personas are prompts.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputRefused(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        where = str(error).rpartition("(")[2].rstrip(")") if "(at " in str(error) else "not UTF-8"
        raise InputRefused(f"{path}: is not TOML ({where}); write an [[actor]] for each actor") from None
    _refuse_origins(path, told, "file")
    try:
        rows = ActorsFile.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InputRefused(f"{path}: {_place(told, first['loc'])}: {first['msg']}") from None
    names = [row.id for row in rows.actor]
    for row in rows.actor:
        if names.count(row.id) > 1 or row.id == UNKNOWN:
            raise InputRefused(f"{path}: actor {row.id!r}: id: is taken; give each actor an id of its own")
    return tuple(
        Actor(row.id, row.name or row.id, row.role, tuple(_trait(path, row, at) for at in range(len(row.trait))))
        for row in rows.actor
    )


def _trait(path: Path, actor: ActorRow, at: int) -> Trait:
    row, place = actor.trait[at], f"{path}: actor {actor.id!r}: trait {at + 1}"
    kind = KINDS.get(row.kind)
    if kind is None:
        raise InputRefused(f"{place}: kind: is none of {', '.join(KINDS)}")
    if actor.role not in kind.roles:
        raise InputRefused(
            f"{place} ({row.kind}): says something of a {' or '.join(kind.roles)}, and the actor is a {actor.role}; "
            "list it as an actor of its own in that role"
        )
    if row.valid_from and row.valid_until and row.valid_from > row.valid_until:
        raise InputRefused(f"{place} ({row.kind}): valid_until: is before valid_from")
    values = []
    for number, value in enumerate(row.values, 1):
        try:
            values.append(kind.parse(value))
        except ValueError:
            raise InputRefused(f"{place} ({row.kind}): values: number {number} is not {kind.expected}") from None
    if row.kind == "active-hours" and (len(values) != HOURS or not sum(values)):
        raise InputRefused(f"{place} ({row.kind}): values: are {len(values)}, expected {kind.expected}")
    return Trait(
        row.kind, tuple(values), Grade(row.grade), row.source, row.valid_from, row.valid_until, row.within_days
    )


def _refuse_origins(path: Path, told: Any, place: str) -> None:
    if isinstance(told, dict):
        name = told.get("id", place)
        for key, value in told.items():
            word = value if key == "kind" and isinstance(value, str) else key
            if word.lower() in REFUSED_WORDS:
                raise InputRefused(f"{path}: {_whose(name)}: {word}: {WHY_REFUSED}")
            _refuse_origins(path, value, name)
    elif isinstance(told, list):
        for each in told:
            _refuse_origins(path, each, place)


def _whose(name: object) -> str:
    return "file" if name == "file" else f"actor {name!r}"


def _place(told: Mapping[str, Any], loc: tuple[Any, ...]) -> str:
    """Say where an error stands, by the actor's id where it has one; traits are counted from 1."""
    words = []
    if len(loc) > 1 and loc[0] == "actor" and isinstance(loc[1], int):
        row = told["actor"][loc[1]]
        name = row.get("id") if isinstance(row, dict) else None
        words.append(f"actor {name!r}" if isinstance(name, str) and name else f"actor number {loc[1] + 1}")
        loc = loc[2:]
    if len(loc) > 1 and loc[0] == "trait" and isinstance(loc[1], int):
        words.append(f"trait {loc[1] + 1}")
        loc = loc[2:]
    return ": ".join([*words, *(str(each) for each in loc)])
