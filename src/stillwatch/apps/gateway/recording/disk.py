"""What the spool asks of a disk, in one place: tests put a disk there that is full, slow or broken."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter


def _free(folder: Path) -> int:
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that works."""

    write: Callable[[int, bytes], int] = os.write
    sync: Callable[[int], None] = os.fdatasync
    cut: Callable[[int, int], None] = os.ftruncate
    free: Callable[[Path], int] = _free
    clock: Callable[[], float] = perf_counter  # seconds, to time writes


def probe(disk: Disk, folder: Path, firmly: bool) -> float:
    """Write a page, as a record would be, and return how many seconds that took. Raises OSError."""
    path = folder / f".probe-{os.getpid()}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        began = disk.clock()
        if disk.write(handle, b"\0" * 4_096) < 4_096:
            raise OSError(28, "No space left on device")
        if firmly:
            disk.sync(handle)
        return disk.clock() - began
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)
