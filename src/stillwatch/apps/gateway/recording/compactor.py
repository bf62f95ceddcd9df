"""Finished spool files become segments, each exchange once, whenever this is killed.

A segment has the name of the first spool file in it and lists them all. They are removed once it is on the disk, the
first one last: while that is there beside a segment of its name, what the segment lists is done and only to be removed.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from stillwatch.apps.disk import fsync
from stillwatch.apps.gateway.recording.frames import MARK, Unframed, unframe
from stillwatch.apps.gateway.recording.layout import (
    PARQUET,
    SPOOL,
    Layout,
    alone,
    begun,
    files,
    try_lock,
    write_whole,
)
from stillwatch.apps.gateway.recording.rows import to_table, unpack
from stillwatch.apps.gateway.recording.segments import WITH, made_of, write_segment
from stillwatch.apps.gateway.recording.settings import RecordingSettings
from stillwatch.apps.gateway.recording.texts import Texts
from stillwatch.sketch.text import SketchKey

MOST = 64 << 20  # bytes of spool in one segment: its rows are held in memory
STRAY = 60.0  # seconds after which a file without a name is what a kill left
logger = logging.getLogger("stillwatch.gateway.recording")


@dataclass(frozen=True, slots=True)
class Swept:
    """What one round did, and what waits now."""

    exchanges: int = 0
    segments: int = 0
    damaged: int = 0  # stretches and records set aside
    torn: int = 0  # records that were never finished, and never acknowledged
    dropped_unsketched: int = 0  # exchanges whose text went before the watcher saw it
    waiting: int = 0  # segments that the watcher has not folded
    oldest: float = 0.0  # seconds that the oldest of them waits


@dataclass(slots=True)
class _Held:
    """A spool file that nobody writes, locked."""

    path: Path
    handle: int
    data: bytes = b""


class Compactor:
    """Turns spool files into segments. One at a time works on an exchange log. Use it in a `with` block."""

    def __init__(self, settings: RecordingSettings, key: SketchKey, clock: Callable[[], float] = time.time) -> None:
        """Take what workers left in the folder of `settings`; `key` makes the names of texts that are dropped."""
        self.settings, self._clock = settings, clock
        self._layout = Layout(settings.folder).make()
        self.texts = Texts(settings, key)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(alone(self._layout.folder, "compactor", wait=False))
        self._recover()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def sweep(self) -> Swept:
        """One round: compact what is finished, then drop text that has waited too long."""
        self._finish_removing()
        counts = dict.fromkeys(("exchanges", "segments", "damaged", "torn"), 0)
        for group in self._groups():
            for name, count in self._compact(group).items():
                counts[name] += count
        dropped = self.texts.drop_old(self._clock())
        waits = [self._clock() - begun(path) for path in files(self._layout.waiting, PARQUET)]
        return Swept(**counts, dropped_unsketched=dropped, waiting=len(waits), oldest=max(waits, default=0.0))

    def _groups(self) -> Iterator[list[_Held]]:
        """Yield finished files in the order in which they were begun, as many as make one segment."""
        group: list[_Held] = []
        try:
            for path in files(self._layout.spool, SPOOL):
                held = _take(path)
                if held is None:
                    continue
                group.append(held)
                if sum(len(each.data) for each in group) >= MOST:
                    yield group
                    group = _release(group)
            if group:
                yield group
        finally:
            _release(group)

    def _compact(self, group: list[_Held]) -> dict[str, int]:
        rows: list[Any] = []
        damaged = torn = 0
        for held in group:
            found = unframe(mark_of(held.path), held.data)
            mine, strange = unpack(found.records)
            rows += mine
            torn += found.torn > 0
            damaged += self._set_aside(held.path, found, strange)
        if rows:
            first = group[0].path
            write_segment(to_table(rows), self._place(first), [held.path.name for held in group], WITH)
            self.texts.written(self._place(first))
        self._remove([held.path for held in group])
        return {"exchanges": len(rows), "segments": int(bool(rows)), "damaged": damaged, "torn": torn}

    def _place(self, spool: Path) -> Path:
        return self._layout.waiting / f"{spool.stem}{PARQUET}"

    def _set_aside(self, path: Path, found: Unframed, strange: list[bytes]) -> int:
        for each in found.damage:
            write_whole(self._layout.damaged / f"{path.stem}@{each.offset}.bin", each.data)
            logger.error("spool-damaged", extra={"file": path.name, "offset": each.offset, "bytes": len(each.data)})
        for number, record in enumerate(strange):  # whole, yet no exchange: of a version that is not this one's
            write_whole(self._layout.damaged / f"{path.stem}#{number}.bin", record)
            logger.error("spool-record-strange", extra={"file": path.name, "bytes": len(record)})
        return len(found.damage) + len(strange)

    def _remove(self, paths: list[Path]) -> None:
        """Remove spool files whose rows are in a segment: the one that has its name last, even after a power cut."""
        for path in paths[1:]:
            path.unlink(missing_ok=True)
        fsync(self._layout.spool)
        paths[0].unlink(missing_ok=True)
        fsync(self._layout.spool)

    def _finish_removing(self) -> None:
        """Remove spool files that are in a segment: they are still there after a kill, or after an error."""
        for path in files(self._layout.spool, SPOOL):
            for folder in (self._layout.waiting, self._layout.segments):
                segment = folder / f"{path.stem}{PARQUET}"
                if segment.exists():
                    listed = [self._layout.spool / name for name in made_of(segment)]
                    self._remove([path, *(each for each in listed if each != path)])

    def _recover(self) -> None:
        """Finish what a kill interrupted, and remove what it left half done."""
        self._finish_removing()
        for stray in self._layout.damaged.glob(".*.new"):
            stray.unlink()
        for stray in self._layout.spool.glob(".*"):
            with suppress(FileNotFoundError):  # a worker that begins a file gives it its name
                if self._clock() - stray.stat().st_mtime > STRAY:
                    stray.unlink()
        self.texts.recover()


def mark_of(path: Path) -> bytes:
    """Return the mark of a spool file, which is in its name: what damages the file leaves it."""
    token = path.stem.rpartition("-")[2]
    return bytes.fromhex(token) if re.fullmatch("[0-9a-f]{8}", token) else bytes(MARK)


def _take(path: Path) -> _Held | None:
    """Return a spool file unless it is being written."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    if not try_lock(handle):
        os.close(handle)
        return None
    return _Held(path, handle, path.read_bytes())


def _release(group: list[_Held]) -> list[_Held]:
    for held in group:
        os.close(held.handle)
    return []
