"""Where the exchange log's files lie, and how they are put there so that a kill leaves the old or the new."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stillwatch.apps.disk import fsync
from stillwatch.model import UsageError

SPOOL = ".spool"
PARQUET = ".parquet"


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one exchange log. All are readable by their owner only: they hold prompts."""

    folder: Path

    @property
    def spool(self) -> Path:
        """What workers write."""
        return self.folder / "spool"

    @property
    def waiting(self) -> Path:
        """Segments that the watcher has not folded yet."""
        return self.folder / "waiting"

    @property
    def segments(self) -> Path:
        """Segments as they stay."""
        return self.folder / "segments"

    @property
    def damaged(self) -> Path:
        """Stretches of spool files that are no records."""
        return self.folder / "damaged"

    def make(self) -> Layout:
        """Make the folders. Raises UsageError where that cannot be done."""
        try:
            for each in (self.folder, self.spool, self.waiting, self.segments, self.damaged):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
                each.chmod(0o700)
        except OSError as error:
            raise UsageError(f"{self.folder}: the exchange log cannot be kept there ({error.strerror})") from error
        return self


def files(folder: Path, suffix: str) -> list[Path]:
    """Return the finished files of a folder, oldest first: names begin with a time."""
    return sorted(path for path in folder.iterdir() if path.suffix == suffix and not path.name.startswith("."))


def begun(path: Path) -> float:
    """Return when the first exchange of a spool file or segment came, at the earliest: seconds since 1970."""
    stamp = path.name.partition("-")[0]
    return int(stamp) / 1e6 if stamp.isdigit() else path.stat().st_mtime


def put(fresh: Path, path: Path) -> None:
    """Give a finished file its name, on the disk when this returns."""
    fsync(fresh)
    os.replace(fresh, path)
    fsync(path.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    put(fresh, path)


def try_lock(handle: int) -> bool:
    """Lock an open file unless somebody else has it; the lock goes with the process, however that ends."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def alone(folder: Path, name: str, *, wait: bool) -> Iterator[None]:
    """Let one process at a time do something in a folder. Raises UsageError when another one does and `wait` is off."""
    handle = os.open(folder / f".{name}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if wait:
            fcntl.flock(handle, fcntl.LOCK_EX)
        elif not try_lock(handle):
            raise UsageError(f"{folder}: another {name} is at work there; run one for each exchange log")
        yield
    finally:
        os.close(handle)
