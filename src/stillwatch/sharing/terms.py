"""On what terms something is shared: who we are, with whom, and what they may have. A TOML file of the deployment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from stillwatch.model import InputRefused, UsageError
from stillwatch.sharing.settings_files import StrictTable, parse_table, read_toml
from stillwatch.sharing.tlp import Tlp

LEAST_SECRET = 16  # bytes; a shorter key can be guessed, and what was hashed with it read


@dataclass(frozen=True, slots=True)
class Producer:
    """Who shares. `endpoint` is the public host name of the model's API, the far end of observed connections."""

    name: str
    contact: str = ""
    endpoint: str = "model-api.invalid"


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A key that we and one partner hold, for one epoch. Whoever has it can search what was hashed with it."""

    key_id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one recipient may have. `operators` and `models` say by which public names ours may be called."""

    producer: Producer
    tlp: Tlp = Tlp.AMBER
    partner: str = "everyone the level allows"
    withhold: frozenset[str] = frozenset()  # fields that this partner never gets
    include: frozenset[str] = frozenset()  # fields that leave only where they are asked for by name
    shared_key: SharedKey | None = None
    operators: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    suspicions: bool = False  # campaigns that are suspect may leave too, said to be no more than that


class ProducerRow(StrictTable, strict=True):
    """The `[producer]` of the file."""

    name: str = Field(min_length=1, max_length=80)
    contact: str = Field(default="", max_length=120)
    endpoint: str = Field(default="model-api.invalid", pattern=r"^[a-z0-9.-]{1,253}$")


class PartnerRow(StrictTable, strict=True):
    """A `[[partner]]` of the file."""

    name: str = Field(min_length=1, max_length=80)
    tlp: str = "amber"
    withhold: list[str] = Field(default_factory=list)
    include: list[str] = Field(default_factory=list)
    key_id: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    key_file: str = ""
    suspicions: bool = False


class TermsFile(StrictTable, strict=True):
    """The whole file."""

    producer: ProducerRow
    partner: list[PartnerRow] = Field(default_factory=list)
    operators: dict[str, str] = Field(default_factory=dict)
    models: dict[str, str] = Field(default_factory=dict)


def read_terms(path: Path, partner: str | None, fields: frozenset[str]) -> Terms:
    """Return the terms for a partner of the file, or without one those for a publication at TLP:CLEAR.

    `fields` are the names that `withhold` and `include` may have. Raises UsageError for a file that is none and
    for a partner that is not in it, InputRefused for what a partner cannot have.
    """
    told = parse_table(TermsFile, read_toml(path), path)
    producer = Producer(told.producer.name, told.producer.contact, told.producer.endpoint)
    if partner is None:
        return Terms(producer, Tlp.CLEAR, operators=told.operators, models=told.models)
    row = next((one for one in told.partner if one.name == partner), None)
    if row is None:
        known = ", ".join(one.name for one in told.partner) or "none"
        raise UsageError(f"{path}: has no partner {partner!r}; it has: {known}")
    unknown = sorted({*row.withhold, *row.include} - fields)
    if unknown:
        raise InputRefused(
            f"{path}: partner {partner!r}: {unknown[0]!r} is no field; fields are {', '.join(sorted(fields))}"
        )
    try:
        level = Tlp(row.tlp.lower())
    except ValueError:
        raise InputRefused(f"{path}: partner {partner!r}: tlp: say one of {', '.join(Tlp)}") from None
    return Terms(
        producer, level, partner, frozenset(row.withhold), frozenset(row.include), _key(path, row),
        told.operators, told.models, row.suspicions,
    )  # fmt: skip


def _key(path: Path, row: PartnerRow) -> SharedKey | None:
    if not row.key_file and not row.key_id:
        return None
    if not (row.key_file and row.key_id and re.fullmatch(r"[A-Za-z0-9._-]+", row.key_id)):
        raise InputRefused(f"{path}: partner {row.name!r}: a shared key needs both key_id and key_file")
    place = Path(os.path.expanduser(row.key_file))
    place = place if place.is_absolute() else path.parent / place
    try:
        secret = place.read_bytes().strip()
    except OSError as error:
        raise InputRefused(
            f"{place}: the shared key cannot be read ({error.strerror or type(error).__name__})"
        ) from None
    if len(secret) < LEAST_SECRET:
        raise InputRefused(f"{place}: the shared key has {len(secret)} bytes; make one with `openssl rand -hex 32`")
    return SharedKey(row.key_id, secret)
