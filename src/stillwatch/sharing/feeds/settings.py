"""The file of settings of feeds: partners, how far each is trusted, and where theirs comes from. TOML."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from stillwatch.sharing.admiralty import Reliability
from stillwatch.sharing.feeds.lists import COLUMNS
from stillwatch.sharing.feeds.words import KINDS
from stillwatch.sharing.settings_files import StrictTable, is_here, parse_table, read_toml

Text = Annotated[str, Field(min_length=1, max_length=200)]
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
LEAST_EVERY = 60  # seconds between two pulls


class SourceTable(StrictTable):
    """One place where a partner's objects come from."""

    type: Literal["taxii", "stix", "misp", "csv", "list"]
    url: str = ""
    collection: str = ""
    user: str = ""
    token_file: str = ""
    ca_file: str = ""
    path: str = ""
    kind: str = ""
    columns: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.type == "taxii":
            url = urlsplit(self.url)
            plain = url.scheme == "http" and is_here(url.hostname)
            if not (url.scheme == "https" or plain) or not url.hostname or url.username or not self.collection:
                raise ValueError("taxii needs `url`, the API root as https://HOST/ROOT/, and `collection`, its id")
        elif not self.path:
            raise ValueError(f"{self.type} needs `path`, a file or a pattern such as drop/*.json")
        if self.type == "list" and self.kind not in KINDS:
            raise ValueError(f"list needs `kind`, one of {', '.join(KINDS)}")
        if unknown := sorted(set(self.columns) - set(COLUMNS)):
            raise ValueError(f"columns has {unknown[0]!r}; it knows {', '.join(COLUMNS)}")
        return self

    def name(self) -> str:
        """Return what the source is called in cursors and in the quarantine."""
        return f"{self.url.rstrip('/')}/collections/{self.collection}" if self.type == "taxii" else self.path


class PartnerTable(StrictTable):
    """One partner. `own`: what comes without an origin is the partner's own observation."""

    name: Text
    reliability: Reliability = "F"
    identity: str = ""
    own: bool = False
    key_id: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    key_file: str = ""
    source: list[SourceTable] = Field(min_length=1)


class LimitsTable(StrictTable):
    """What one pull of one source may hold."""

    body_length: int = Field(default=67_108_864, ge=1_024, le=1 << 30)
    object_length: int = Field(default=1_048_576, ge=256)
    objects: int = Field(default=200_000, ge=1)
    depth: int = Field(default=32, ge=4, le=500)
    page: int = Field(default=1_000, ge=1, le=100_000)


class Settings(StrictTable):
    """The whole file."""

    folder: str = "feeds"
    every: str = "1h"
    ours: list[str] = Field(default_factory=list)
    limits: LimitsTable = LimitsTable()
    partner: list[PartnerTable] = Field(min_length=1)

    @property
    def seconds(self) -> int:
        """Return the time between two pulls."""
        found = re.fullmatch(r"([0-9]{1,6})([smhd])", self.every)
        return max(int(found[1]) * UNITS[found[2]], LEAST_EVERY) if found else 0

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [one.name for one in self.partner]
        if len(set(names)) < len(names):
            raise ValueError("two partners have one name")
        if not self.seconds:
            raise ValueError("every is a time such as 15m, 1h or 1d")
        return self


def read_settings(path: Path) -> Settings:
    """Return the settings, their paths made absolute. Raises UsageError."""
    found = parse_table(Settings, read_toml(path), path)
    return found.model_copy(
        update={"folder": _beside(path, found.folder), "partner": [_absolute(path, one) for one in found.partner]}
    )


def _absolute(file: Path, one: PartnerTable) -> PartnerTable:
    sources = [
        source.model_copy(
            update={name: _beside(file, getattr(source, name)) for name in ("token_file", "ca_file", "path")}
        )
        for source in one.source
    ]
    return one.model_copy(update={"source": sources, "key_file": _beside(file, one.key_file)})


def _beside(file: Path, name: str) -> str:
    return str(file.resolve().parent / os.path.expanduser(name)) if name else ""
