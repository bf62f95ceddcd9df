"""Files of settings in TOML: strict tables, and every mistake told with its file and key, never with a value."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from stillwatch.model import UsageError


class StrictTable(BaseModel):
    """A table that has the settings it declares and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Table = TypeVar("Table", bound=StrictTable)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a file holds. Raises UsageError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); name a file of settings in TOML") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not TOML ({error}); mend it there") from None


def parse_table(
    kind: type[Table], told: Mapping[str, Any], path: Path, within: str = "", mends: Mapping[str, str] | None = None
) -> Table:
    """Return a table of a file, or raise UsageError with the first mistake.

    `within` is the table's own key and a dot, where it is not the whole file; `mends` are other words for pydantic's
    types of mistake. No value is told: it may be a password in a URL.
    """
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
    key = within + ".".join(str(part) for part in first["loc"])
    said = (mends or {}).get(first["type"], first["msg"].removeprefix("Value error, "))
    raise UsageError(f"{path}: {key}: {said}" if key else f"{path}: {said}")


def is_here(host: str | None) -> bool:
    """Whether a host is this machine, which may be spoken to without encryption."""
    if host is None or host == "localhost":
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
