"""What a partner contributes to a hub: one signed statement about one indicator, good until a day that it names.

A statement is signed by its maker over one spelling of its fields, so that whoever holds it can check who said so, and
its id is the hash of the same bytes. What passes on another's statement names it as its origin.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from types import ModuleType
from typing import Any

from stillwatch.model import MissingDependency, StillwatchError
from stillwatch.sharing.private.indicators import KINDS, Indicator, normalise

DOMAIN = b"stillwatch-contribution-v1|"
LONGEST = 4_096  # bytes of one contribution


class ContributionRefused(StillwatchError):
    """A statement that a hub does not take; says why."""


class Act(StrEnum):
    """What a statement does."""

    SIGHTING = "sighting"  # seen in a campaign of the maker's own
    DISPUTE = "dispute"  # the maker knows that it is innocent
    PASSED_ON = "passed-on"  # somebody else's sighting, repeated: names its origin
    WITHDRAWAL = "withdrawal"  # takes back an own statement, named in `about`


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement before it is signed. Moments are RFC 3339 in UTC."""

    organisation: str
    act: Act
    kind: str
    value: str
    made_at: str
    valid_until: str
    count: int = 1  # accounts that showed it, rounded by whoever shares it
    detector: str = ""  # name and version hash of what found it
    origin: str = ""  # id of the statement that is passed on
    about: str = ""  # id of the own statement that is taken back

    def to_bytes(self) -> bytes:
        """Return the one spelling that is signed and hashed."""
        row = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return DOMAIN + row.encode()

    @property
    def indicator(self) -> Indicator:
        """What it is about."""
        return Indicator(self.kind, self.value)

    @property
    def made(self) -> float:
        """When, in seconds since 1970."""
        return _moment(self.made_at)

    @property
    def expires(self) -> float:
        """Until when it counts, in seconds since 1970."""
        return _moment(self.valid_until)


@dataclass(frozen=True, slots=True)
class Contribution:
    """A signed statement."""

    statement: Statement
    signature: str  # Ed25519, hex

    @property
    def id(self) -> str:
        """The statement's name everywhere."""
        return hashlib.sha256(self.statement.to_bytes()).hexdigest()

    def to_line(self) -> str:
        """Return the contribution as a line of JSON."""
        return json.dumps({"signature": self.signature, **asdict(self.statement)}, sort_keys=True)


def sign(statement: Statement, private_key: bytes) -> Contribution:
    """Sign a statement with a raw Ed25519 key."""
    key = _ed25519().Ed25519PrivateKey.from_private_bytes(private_key)
    return Contribution(statement, key.sign(statement.to_bytes()).hex())


def public_of(private_key: bytes) -> str:
    """Return the public key, hex, of a raw private one."""
    key = _ed25519().Ed25519PrivateKey.from_private_bytes(private_key)
    return str(key.public_key().public_bytes_raw().hex())


def read_contribution(line: str | bytes) -> Contribution:
    """Return what a line of JSON says. Raises ContributionRefused naming the field that is wrong."""
    if len(line) > LONGEST:
        raise ContributionRefused(f"a contribution of {len(line):,} bytes; {LONGEST:,} are allowed")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ContributionRefused("a contribution is one JSON object a line") from error
    known = {field.name for field in fields(Statement)} | {"signature"}
    if not isinstance(row, dict) or set(row) != known:
        raise ContributionRefused(f"a contribution has exactly the fields {', '.join(sorted(known))}")
    for name, value in row.items():
        if isinstance(value, bool) or not isinstance(value, int if name == "count" else str):
            raise ContributionRefused(f"{name} is no {'whole number' if name == 'count' else 'text'}")
    return Contribution(_statement(row), row.pop("signature"))


def verify(contribution: Contribution, keys: Mapping[str, str]) -> None:
    """Refuse what was not signed by the organisation that it names; `keys` are public ones, hex, by organisation."""
    key = keys.get(contribution.statement.organisation)
    if key is None:
        raise ContributionRefused(f"{contribution.statement.organisation[:60]!r} is no member of this hub")
    ed25519 = _ed25519()
    try:
        public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(contribution.signature), contribution.statement.to_bytes())
    except (ValueError, _invalid()) as error:
        raise ContributionRefused("the signature is not the organisation's over these words") from error


def _statement(row: Mapping[str, Any]) -> Statement:
    values = {name: value for name, value in row.items() if name != "signature"}
    if values["act"] not in list(Act):
        raise ContributionRefused(f"act is {values['act'][:40]!r}; expected {', '.join(Act)}")
    if values["kind"] not in KINDS or normalise(values["kind"], values["value"]) != Indicator(
        values["kind"], values["value"]
    ):
        raise ContributionRefused(f"value is no {values['kind'][:40]} in its one spelling")
    if values["count"] < 1:
        raise ContributionRefused("count is below 1")
    for name in ("made_at", "valid_until"):
        _moment(values[name])
    return Statement(**values | {"act": Act(values["act"])})


def _moment(text: str) -> float:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ContributionRefused(f"{text[:40]!r} is no RFC 3339 time") from error
    if moment.utcoffset() != dt.timedelta(0):
        raise ContributionRefused(f"{text[:40]!r} is not in UTC")
    return moment.timestamp()


def _ed25519() -> ModuleType:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError as error:
        raise MissingDependency("signing needs cryptography: pip install 'stillwatch[sharing]'") from error
    return ed25519


def _invalid() -> type[Exception]:
    from cryptography.exceptions import InvalidSignature

    return InvalidSignature
