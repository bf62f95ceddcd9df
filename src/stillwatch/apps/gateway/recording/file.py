"""One file of the spool, while it is written."""

from __future__ import annotations

import errno
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from stillwatch.apps.disk import fsync
from stillwatch.apps.gateway.recording.disk import Disk
from stillwatch.apps.gateway.recording.frames import MARK, frame
from stillwatch.apps.gateway.recording.layout import SPOOL, try_lock
from stillwatch.apps.gateway.recording.rows import header

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(slots=True)
class SpoolFile:
    """An append-only file that is locked as long as it is open. Records are added by one thread at a time."""

    path: Path
    handle: int
    mark: bytes
    empty: int  # bytes of its header
    size: int
    firm: int  # bytes that were forced to the disk
    opened: float  # seconds of the monotonic clock

    @classmethod
    def begin(cls, folder: Path, disk: Disk, firmly: bool) -> SpoolFile:
        """Begin a file. It gets its name when it is locked, so that nobody takes it for finished. Raises OSError."""
        mark = secrets.token_bytes(MARK)
        name = f"{time.time_ns() // 1000:016d}-{os.getpid()}-{mark.hex()}{SPOOL}"
        fresh, path = folder / f".{name}", folder / name
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            if not try_lock(handle):
                raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
            first = frame(mark, header())
            if disk.write(handle, first) != len(first):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.rename(fresh, path)
            if firmly:
                fsync(folder)
        except BaseException:
            os.close(handle)
            fresh.unlink(missing_ok=True)
            raise
        return cls(path, handle, mark, len(first), len(first), len(first), time.monotonic())

    def add(self, record: bytes, disk: Disk, firmly: bool) -> None:
        """Add a record, by one write wherever the disk takes it whole. Raises OSError; then `cut` what was written."""
        data = frame(self.mark, record)
        written = disk.write(self.handle, data)
        while written < len(data):
            more = disk.write(self.handle, data[written:])
            if not more:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += more
        if firmly:
            disk.sync(self.handle)
        self.size += written

    def cut(self, disk: Disk) -> bool:
        """Take back the beginning of a record that could not be added; whether that went well."""
        try:
            disk.cut(self.handle, self.size)
        except OSError:
            return False
        return True

    def end(self, disk: Disk, firmly: bool) -> None:
        """Let go of the file, which is finished with that; one that holds nothing is removed. Raises OSError."""
        handle, self.handle = self.handle, -1
        if handle < 0:
            return
        try:
            if self.size == self.empty:
                self.path.unlink(missing_ok=True)
            elif firmly:
                disk.sync(handle)
        finally:
            os.close(handle)


def kind_of(error: OSError) -> str:
    """Say whether a disk is full or broken."""
    return "full" if error.errno in FULL else "broken"
