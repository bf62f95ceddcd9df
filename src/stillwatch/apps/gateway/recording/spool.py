"""The write-ahead spool: an exchange is in a file before its answer ends, so that a kill cannot lose it.

One append-only file a worker, locked while it is written. What has no lock is finished, whoever left it how: the
compactor takes it. A record is one write to the system; from then on only the system's own end can lose it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.recording.disk import Disk, probe
from stillwatch.apps.gateway.recording.file import SpoolFile, kind_of
from stillwatch.apps.gateway.recording.health import Health
from stillwatch.apps.gateway.recording.layout import Layout
from stillwatch.apps.gateway.recording.rows import pack
from stillwatch.apps.gateway.recording.settings import RecordingSettings
from stillwatch.apps.gateway.seams import Arrival, Outcome, RecordingFailed
from stillwatch.model import UsageError

TICK = 1.0  # seconds between two rounds of housekeeping
logger = logging.getLogger("stillwatch.gateway.recording")


class Spool:
    """Keeps the exchanges of one worker process: the `Recorder` of the gateway."""

    def __init__(self, settings: RecordingSettings, disk: Disk = Disk()) -> None:  # noqa: B008 - frozen
        """Open a file. Raises UsageError where no exchange could be kept there."""
        self.settings, self._disk = settings, disk
        self._folder = Layout(settings.folder).make().spool
        self._closed = settings.on_failure == "closed"
        self._keep_response = settings.text == "keep"
        self._every, self._firmly = settings.fsync == "every", settings.fsync != "none"
        self._slow = settings.slow_seconds
        self.health = Health()
        self.recorded = 0
        self._torn = False  # the file has half a record at its end: no more is written to it
        self._lock = threading.Lock()
        self._housekeeper: threading.Thread | None = None
        self._stop = threading.Event()
        try:
            self._begin()
            self.health.space(disk.free(self._folder), settings.free_bytes)
        except OSError as error:
            raise UsageError(f"{self._folder}: no exchange can be kept there ({error.strerror})") from error

    def record(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Keep an exchange; when this returns, a SIGKILL of the process cannot lose it.

        Raises RecordingFailed where it cannot be kept and the configuration says to fail closed; with `open` it is
        counted as lost.
        """
        if self._pid != os.getpid():
            self._begin_anew()
        if self.health.tripped:
            self._lose()
            return
        packed, clock = pack(arrival, decision, outcome, self._keep_response), self._disk.clock
        with self._lock:
            began = clock()
            try:
                self._file.add(packed, self._disk, self._every)
            except OSError as error:
                self._torn |= not self._file.cut(self._disk)
                self.health.trip(kind_of(error), f"disk cannot be written: {error.strerror}")
                self._lose()
                return
            took = clock() - began
            self.recorded += 1
        if took > self._slow:
            self.health.trip("slow", f"disk too slow: a write took {took:.3f} s")

    def ready(self) -> str:
        """Say why exchanges cannot be kept now; empty when they can. For readiness."""
        return self.health.trouble

    def refusal(self) -> str:
        """Say why a request must not be relayed now: with `closed`, what `ready` says; with `open`, nothing."""
        return self.health.trouble if self._closed else ""

    @property
    def lost(self) -> int:
        """Exchanges that were answered and are not kept."""
        return self.health.lost

    def start(self) -> Spool:
        """Keep house in a thread of its own."""
        self._housekeeper = threading.Thread(target=self._keep_house, name="stillwatch-spool", daemon=True)
        self._housekeeper.start()
        return self

    def tick(self, now: float) -> None:
        """One round of housekeeping at a time of the monotonic clock: probe, force to disk, rotate."""
        self._probe()
        self.health.say(now)
        if self.settings.fsync == "interval" and now - self._synced >= self.settings.fsync_seconds:
            self._sync(now)
        old = now - self._file.opened >= self.settings.rotate_seconds
        if self._file.size > self._file.empty and (old or self._file.size >= self.settings.rotate_bytes):
            self._rotate()

    def close(self) -> None:
        """Finish the file. What was recorded stays; the compactor takes it."""
        self._stop.set()
        if self._housekeeper is not None:
            self._housekeeper.join()
        with self._lock:
            self.health.end()
            self._end(self._file)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._file = SpoolFile.begin(self._folder, self._disk, self._firmly)
        self._synced = self._file.opened

    def _lose(self) -> None:
        if self._closed:
            raise RecordingFailed(self.health.tripped)
        self.health.lose()

    def _probe(self) -> None:
        try:
            self.health.space(self._disk.free(self._folder), self.settings.free_bytes)
            if not self.health.tripped or probe(self._disk, self._folder, self._every) > self._slow:
                return
        except OSError:
            return
        if not self._torn or self._rotate():
            self.health.mend()

    def _sync(self, now: float) -> None:
        """Force to disk what is written, without holding up writers. After an error nobody knows what the disk has."""
        size = self._file.size
        if size == self._file.firm:
            return
        try:
            self._disk.sync(self._file.handle)
        except OSError as error:
            self._torn = True
            self.health.trip("broken", f"disk cannot be forced: {error.strerror}")
            return
        self._file.firm, self._synced = size, now

    def _rotate(self) -> bool:
        """Go on in a new file; whether that could be begun. The one before is finished once it is let go."""
        try:
            fresh = SpoolFile.begin(self._folder, self._disk, self._firmly)
        except OSError as error:  # the old file goes on
            self.health.trip(kind_of(error), f"no file can be begun: {error.strerror}")
            return False
        with self._lock:
            before, self._file, self._torn = self._file, fresh, False
        self._end(before)
        return True

    def _end(self, file: SpoolFile) -> None:
        try:
            file.end(self._disk, self._firmly)
        except OSError as error:
            logger.error("spool-not-forced", extra={"kind": kind_of(error)})

    def _begin_anew(self) -> None:
        """After a fork: the file belongs to the parent, and so do its lock and its housekeeper."""
        self._lock, self._stop = threading.Lock(), threading.Event()
        self.health, self.recorded = Health(), 0
        os.close(self._file.handle)  # this process's hold on it alone
        self._file.handle = -1
        try:
            self._begin()
        except OSError as error:
            self._torn = True  # the next probe that goes well begins a file
            self.health.trip(kind_of(error), f"no file can be begun: {error.strerror}")
        if self._housekeeper is not None:
            self.start()

    def _keep_house(self) -> None:
        stop = self._stop
        while not stop.wait(min(TICK, self.settings.fsync_seconds)):
            try:
                self.tick(time.monotonic())
            except Exception as error:  # a thread that ends would be a silent failure
                logger.exception("spool-housekeeping", extra={"kind": type(error).__name__})


def spool_bytes(folder: Path) -> int:
    """How much waits in the spool of an exchange log for the compactor."""
    total = 0
    for path in Layout(folder).spool.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total
