"""The two files of whoever takes part: whom we answer (`serve`), and whom we ask (`--partners`)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from stillwatch.model import UsageError
from stillwatch.sharing.admiralty import Reliability
from stillwatch.sharing.private.limits import Rates
from stillwatch.sharing.settings_files import StrictTable, is_here, parse_table, read_toml

TOKEN = 32  # bytes


class PartnerRow(StrictTable):
    """One partner that may ask us."""

    token_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    reveal: Literal["never", "approved", "agreed"] = "never"
    sessions_per_hour: int = Field(default=12, ge=1)
    elements_per_day: int = Field(default=400_000, ge=1)
    public_key: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    reliability: Reliability = "F"


class ServeConfig(StrictTable):
    """How we answer."""

    organisation: str = Field(min_length=1)
    index: Path
    state: Path
    partners: dict[str, PartnerRow]
    listen: str = "127.0.0.1:8480"
    at_least: Literal["watch", "suspect", "distillation"] = "watch"
    allow: Path | None = None
    largest_set: int = Field(default=100_000, ge=1, le=1_000_000)
    padding: int = Field(default=1_024, ge=1, le=65_536)
    session_minutes: float = Field(default=30.0, gt=0)
    sessions: int = Field(default=4, ge=1)
    certificate: Path | None = None
    private_key: Path | None = None
    behind_proxy: bool = False
    hub: bool = False
    reciprocal_days: float = Field(default=0.0, ge=0)

    @property
    def address(self) -> tuple[str, int]:
        """Where to listen."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    def rates(self) -> dict[str, Rates]:
        """Return each partner's limits."""
        return {name: Rates(row.sessions_per_hour, row.elements_per_day) for name, row in self.partners.items()}

    def partner_of(self, token: str) -> str | None:
        """Return whose token this is; every partner is compared, so that time tells nothing."""
        told = hash_token(token)
        found = [name for name, row in self.partners.items() if hmac.compare_digest(row.token_sha256, told)]
        return found[0] if found else None


class AskedRow(StrictTable):
    """One partner that we ask."""

    url: str
    token_file: Path
    reliability: Reliability = "F"
    repeats: str = ""
    certificate_authority: Path | None = None


def hash_token(token: str) -> str:
    """Return what is stored of a token: tokens are random and long, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """Return a token to hand to a partner, once."""
    return secrets.token_hex(TOKEN)


def read_serve_config(path: Path) -> ServeConfig:
    """Return the settings of `partner serve`. Raises UsageError naming the field that is wrong."""
    config = parse_table(ServeConfig, read_toml(path), path)
    here = path.parent
    moved = {name: here / value for name in _PATHS if (value := getattr(config, name)) is not None}
    config = config.model_copy(update=moved)
    _check_listening(config, path)
    if not config.partners:
        raise UsageError(f"{path}: partners is empty; add [partners.NAME] with the hash of its token")
    tokens = [row.token_sha256 for row in config.partners.values()]
    if len(set(tokens)) < len(tokens):
        raise UsageError(f"{path}: two partners have one token; give each its own (`stillwatch partner token`)")
    return config


_PATHS = ("index", "state", "allow", "certificate", "private_key")


def read_partners(path: Path) -> dict[str, AskedRow]:
    """Return the partners that we may ask, by name. Raises UsageError naming the field that is wrong."""
    rows = {}
    for name, table in read_toml(path).items():
        row = parse_table(AskedRow, table if isinstance(table, dict) else {}, path, f"{name}.")
        parts = urlsplit(row.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{path}: {name}.url is {row.url!r}; expected https://HOST:PORT")
        if parts.scheme == "http" and not is_here(parts.hostname):
            raise UsageError(f"{path}: {name}.url is not encrypted; http:// is for this machine alone, use https://")
        moved = {"token_file": path.parent / row.token_file}
        if row.certificate_authority is not None:
            moved["certificate_authority"] = path.parent / row.certificate_authority
        rows[name] = row.model_copy(update=moved)
    return rows


def read_token(path: Path) -> str:
    """Return the token that a file holds."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: no token there; put the partner's token into it, readable by you alone") from error
    if not token:
        raise UsageError(f"{path}: is empty; put the partner's token into it")
    return token


def _check_listening(config: ServeConfig, path: Path) -> None:
    try:
        host, _ = config.address
    except ValueError as error:
        raise UsageError(f"{path}: listen is {config.listen!r}; expected HOST:PORT") from error
    if (config.certificate is None) != (config.private_key is None):
        raise UsageError(f"{path}: certificate and private_key belong together; give both or none")
    if config.certificate is None and not config.behind_proxy and not is_here(host):
        raise UsageError(
            f"{path}: listening on {config.listen} without a certificate would send tokens in the clear; "
            "give certificate and private_key, or say behind_proxy = true"
        )
