"""How far a file was read, and whether a file seen now is that one: told by what it holds, not by its name alone."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRINT = 4_096  # bytes at the start, and before the place that was reached, that tell a file from another


@dataclass(frozen=True, slots=True)
class Look:
    """A file as it is now."""

    label: str
    path: Path
    inode: tuple[int, int]  # with its device
    size: int
    changed: int  # ns

    @classmethod
    def at(cls, label: str, path: Path) -> Look:
        """Look at a file. Raises OSError when it is gone."""
        told = path.stat()
        return cls(label, path, (told.st_dev, told.st_ino), told.st_size, told.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was last read. `offset` and `lines` are how far; a whole file is read to its end or not at all."""

    label: str
    inode: tuple[int, int]
    size: int
    changed: int
    offset: int = 0
    lines: int = 0
    mark: str = ""  # fingerprint of what was read
    refused: str | None = None  # why it is set aside, until it changes
    gone: int | None = None  # since when it is not there, µs

    def unchanged(self, now: Look) -> bool:
        """Whether nothing speaks for a change: the same inode, size and time."""
        return (self.inode, self.size, self.changed) == (now.inode, now.size, now.changed)

    def continues(self, now: Look) -> bool:
        """Whether a file begins with what was read of this one."""
        return now.size >= self.offset and self.mark == fingerprint(now.path, self.offset)

    def moved_to(self, now: Look) -> Seen:
        """The same, under the name and looks of now."""
        return dataclasses.replace(
            self, label=now.label, inode=now.inode, size=now.size, changed=now.changed, gone=None
        )


def fingerprint(path: Path, offset: int) -> str:
    """A hash of the first bytes, and of the last ones before an offset."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        digest.update(stream.read(min(offset, PRINT)))
        stream.seek(max(0, offset - PRINT))
        digest.update(stream.read(min(offset, PRINT)))
    return digest.hexdigest()


def load(position: Mapping[str, Any]) -> dict[str, Seen]:
    """What a position says of each file, by label."""
    rows = (each | {"inode": tuple(each["inode"])} for each in position.get("files", ()))
    return {each["label"]: Seen(**each) for each in rows}


def dump(files: Iterable[Seen]) -> dict[str, Any]:
    """The position that says this."""
    ordered = sorted(files, key=lambda each: each.label)
    refused = {each.label: each.refused for each in ordered if each.refused is not None and each.gone is None}
    return {"files": [dataclasses.asdict(each) for each in ordered], "refused": refused}


def is_open(label: str) -> bool:
    """Whether a file may be followed while it grows: plain lines, which are whole as soon as they end."""
    return os.path.splitext(label)[1].lower() in (".ndjson", ".jsonl", ".json")
