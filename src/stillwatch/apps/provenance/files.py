"""The files of provenance: keyrings, and rows of texts, tokens, scores and models, each refused with its line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from stillwatch.model import InputRefused, UsageError
from stillwatch.provenance.keyring import Keyring, MarkKey, opens, read_keyring, write_keyring

RowT = TypeVar("RowT")


def rows_of(path: Path, shape: str, read: Callable[[dict[str, Any]], RowT]) -> Iterator[RowT]:
    """Yield what `read` makes of each row of an NDJSON file. Raises InputRefused with the line and what is expected."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _row(f"{path}:{number}", line, shape, read)
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(f"{path}: {getattr(error, 'strerror', None) or 'is not UTF-8 text'}") from None


def _row(where: str, line: str, shape: str, read: Callable[[dict[str, Any]], RowT]) -> RowT:
    try:
        return read(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise InputRefused(f"{where}: expected an object such as {shape}") from None


def load_keyring(path: Path) -> Keyring:
    """Read a keyring. Raises InputRefused, which shows nothing of it, and UsageError where others can read the file."""
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise UsageError(f"{path} can be read by others; say chmod 600")
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputRefused(f"{path}: {error.strerror}") from None
    except ValueError:
        told = None
    try:
        return read_keyring(told)
    except InputRefused as refused:
        raise InputRefused(f"{path}: {refused}") from None


def store_keyring(ring: Keyring, path: Path, new: bool) -> None:
    """Write a keyring for its owner alone, whole or not at all. Raises UsageError where a new one would replace one."""
    if new and path.exists():
        raise UsageError(f"{path} exists; what was served under its keys could not be tested without it")
    beside = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(write_keyring(ring), file, indent=2)
        os.replace(beside, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def check_commitment(key: MarkKey, path: Path, method: Mapping[str, str]) -> None:
    """Refuse a key that is not the one that was published, or was to be tested otherwise. Raises InputRefused."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = None
    if not isinstance(told, dict) or not opens(key, told):
        raise InputRefused(f"{path}: this is not the commitment of epoch {key.term.epoch} of {key.term.scope}")
    if told.get("method") != method:
        raise InputRefused(f"{path}: that key was to be tested by another method; use the stillwatch of then")


def number(value: Any) -> float:
    """Return a finite number. Raises ValueError."""
    found = float(value)
    if isinstance(value, bool | str) or found != found or abs(found) == float("inf"):
        raise ValueError
    return found


def text(value: Any) -> str:
    """Return a text. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError
    return value


def whole_numbers(value: Any) -> list[int]:
    """Return a list of token ids. Raises ValueError."""
    if not isinstance(value, list) or not all(type(each) is int and each >= 0 for each in value):
        raise ValueError
    return value
