"""Receipts on their way to the ledger: a worker writes each to a file at once, a process beside it enters them.

So no request waits for a database. What a worker wrote outlives a SIGKILL of it; a loss of power may cost the last
moments' receipts their leaves, never their signatures.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from pathlib import Path

from stillwatch.integrity.signing.canonical import digest
from stillwatch.integrity.signing.record import Receipt
from stillwatch.store.answers import GivenOut, enter_answers
from stillwatch.store.database import Store

OPEN, CLOSED = ".open", ".ndjson"
ROTATE = 2.0  # seconds until a file that holds something is closed
LEFT_BEHIND = 60.0  # seconds without a write after which an open file is a dead worker's
BATCH = 500  # leaves in one transaction
BY = "gateway"


class Receipts:
    """Where one worker puts its receipts."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._lock = folder, threading.Lock()
        self._handle, self._path, self._until = -1, folder, 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._rotate, name="stillwatch-receipts", daemon=True)
        self._thread.start()

    def keep(self, receipt: Receipt) -> None:
        """Write a receipt's line: one call of the system."""
        record = receipt.record
        told = {"at": record["at"], "nonce": record["nonce"], "kid": record["kid"], "digest": digest(receipt.text())}
        line = (json.dumps(told) + "\n").encode()
        with self._lock:
            if self._handle < 0:
                self._path = self._folder / f"{time.time_ns()}-{uuid.uuid4().hex}{OPEN}"
                self._handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
                self._until = time.monotonic() + ROTATE
            os.write(self._handle, line)

    def close(self) -> None:
        """Close the file, so that it can be entered."""
        self._over.set()
        self._thread.join()
        self._end(always=True)

    def _rotate(self) -> None:
        while not self._over.wait(ROTATE / 4):
            self._end(always=False)

    def _end(self, always: bool) -> None:
        with self._lock:
            if self._handle >= 0 and (always or time.monotonic() >= self._until):
                os.close(self._handle)
                self._path.rename(self._path.with_suffix(CLOSED))
                self._handle = -1


def enter_waiting(store: Store, folder: Path, now: float | None = None) -> int:
    """Enter the receipts of every closed file into the ledger, and remove it; return how many leaves that made.

    A file is removed only after its leaves are there, and a receipt that has one gets no second.
    """
    _close_left_behind(folder, time.time() if now is None else now)
    entered = 0
    for path in sorted(folder.glob(f"*{CLOSED}")):
        lines = [each for each in map(_read, path.read_bytes().splitlines()) if each is not None]
        for start in range(0, len(lines), BATCH):
            entered += enter_answers(store, lines[start : start + BATCH], BY)
        path.unlink()
    return entered


def _close_left_behind(folder: Path, now: float) -> None:
    for path in folder.glob(f"*{OPEN}"):
        try:
            if now - path.stat().st_mtime > LEFT_BEHIND:
                path.rename(path.with_suffix(CLOSED))
        except FileNotFoundError:  # its worker closed it meanwhile
            continue


def _read(line: bytes) -> GivenOut | None:
    """A line; None for one that a loss of power cut off."""
    try:
        told = json.loads(line)
        return GivenOut(int(told["at"]), str(told["nonce"]), str(told["digest"]), str(told["kid"]))
    except (ValueError, KeyError, TypeError):
        return None
