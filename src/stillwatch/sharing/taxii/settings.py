"""The file of settings of a TAXII server: TOML, read once, every mistake told with its file, key and mend."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from stillwatch.sharing.settings_files import StrictTable, is_here, parse_table, read_toml

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Level = Literal["clear", "green", "amber", "amber+strict", "red"]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
RESERVED = ("taxii2",)
_MENDS = {
    "missing": "is missing; add it",
    "extra_forbidden": "is no setting; see docs/reference/taxii.md for those there are",
    "string_pattern_mismatch": "has letters that a name may not have; use a-z, 0-9, - . and _",
}


def _uuid4(text: str) -> str:
    if UUID4.fullmatch(text) is None:
        raise ValueError("is not a UUID of version 4; leave it out and one is made")
    return text


Uuid4 = Annotated[str, AfterValidator(_uuid4)]


class TlsTable(StrictTable):
    """Certificate and key, and who may be spoken to without them."""

    certificate: str | None = None
    key: str | None = None
    behind_proxy: bool = False

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together; give both or neither")
        return self


class LimitsTable(StrictTable):
    """What one request may hold, and one answer."""

    content_length: int = Field(default=10_485_760, ge=1_024, le=1 << 30)
    object_length: int = Field(default=1_048_576, ge=256)
    objects: int = Field(default=50_000, ge=1)
    depth: int = Field(default=32, ge=4, le=500)
    background: int = Field(default=2_000, ge=1)
    page_objects: int = Field(default=1_000, ge=1, le=100_000)
    page_length: int = Field(default=16_777_216, ge=1_024)
    status_hours: int = Field(default=48, ge=24)
    body_seconds: int = Field(default=60, ge=1)
    bodies: int = Field(default=8, ge=1)
    connections: int = Field(default=200, ge=1)


class RootTable(StrictTable):
    """An API root: usually one group of partners who trust each other."""

    name: Name
    title: Text
    description: str = ""

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"{name} is the standard's own path; choose another")
        return name


class CollectionTable(StrictTable):
    """A collection of an API root."""

    root: Name
    alias: Name
    title: Text
    description: str = ""
    id: Uuid4 | None = None
    unmarked: Level = "amber"


class PartnerTable(StrictTable):
    """A partner and what they may do; collections are named ROOT/ALIAS."""

    name: Name
    clearance: Level
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


class Settings(StrictTable):
    """All of the file. `folder` is where it lies: paths in it are taken from there."""

    title: Text
    base_url: str
    listen: str = "127.0.0.1:8443"
    database: str = "taxii.db"
    token_key: str = "taxii.key"
    description: str = ""
    contact: str = ""
    default_root: Name | None = None
    tls: TlsTable = TlsTable()
    limits: LimitsTable = LimitsTable()
    root: tuple[RootTable, ...] = Field(min_length=1)
    collection: tuple[CollectionTable, ...] = ()
    partner: tuple[PartnerTable, ...] = ()
    folder: Path = Field(default=Path(), exclude=True)

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        parts = urlsplit(url)
        local = parts.scheme == "http" and is_here(parts.hostname)
        if not (parts.scheme == "https" or local) or not parts.hostname or parts.query or parts.path not in ("", "/"):
            raise ValueError("is not https://HOST or https://HOST:PORT, without a path")
        return url.rstrip("/")

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, place: str) -> str:
        host, separator, port = place.rpartition(":")
        if not (host and separator and port.isascii() and port.isdigit() and int(port) < 65_536):
            raise ValueError("is not HOST:PORT, such as 127.0.0.1:8443 or [::]:8443")
        return place

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        roots = [each.name for each in self.root]
        names = [f"{each.root}/{each.alias}" for each in self.collection]
        _unique("root", roots)
        _unique("collection", names)
        _unique("partner", [each.name for each in self.partner])
        if self.default_root is not None and self.default_root not in roots:
            raise ValueError(f"default_root {self.default_root} is no [[root]]")
        for each in self.collection:
            if each.root not in roots:
                raise ValueError(f"collection {each.alias}: root {each.root} is no [[root]]")
        for partner in self.partner:
            for name in (*partner.read, *partner.write):
                if name.partition("/")[0] not in roots or not name.partition("/")[2]:
                    raise ValueError(f"partner {partner.name}: {name} is not ROOT/ALIAS of a collection")
        if self.tls.certificate is None and not self.tls.behind_proxy and not is_here(self.host):
            raise ValueError(
                "listen is open to the network without TLS; give [tls] certificate and key, or say behind_proxy = true "
                "where a proxy ends TLS"
            )
        return self

    @property
    def host(self) -> str:
        """Where to listen: the address alone."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Where to listen: the port."""
        return int(self.listen.rpartition(":")[2])

    @property
    def database_url(self) -> str:
        """The URL of the database, or the path of its file from where the settings lie."""
        return self.database if "://" in self.database else str(self.folder / self.database)

    def path(self, name: str) -> Path:
        """A path in the file, taken from where the file lies."""
        return self.folder / name


def read_settings(file: Path) -> Settings:
    """Read a file of settings. Raises UsageError."""
    told = read_toml(file) | {"folder": file.resolve().parent}
    return parse_table(Settings, told, file, mends=_MENDS)


def _unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} {twice[0]} stands there twice; keep one")
