"""Writing so that a kill leaves the old or the new, never half of one."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stillwatch.apps.disk import fsync
from stillwatch.model import UsageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # of our own disk, whatever was being read


def replace_whole(path: Path, data: bytes) -> None:
    """Replace a file by these bytes, on the disk when this returns."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(fresh, path)
    fsync(path.parent)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time work in a folder; the lock goes with the process, however that ends.

    Raises UsageError when another one is at work there.
    """
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"{folder}: another watcher is at work there; give this one a --state of its own"
            ) from None
        yield
    finally:
        os.close(handle)
