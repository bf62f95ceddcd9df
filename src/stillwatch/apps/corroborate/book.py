"""A folder's own ledger: one line an act, on the disk before the act goes on. It has no element in it.

Where the control plane's ledger is at hand, each act stands there as well.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stillwatch.sharing.ledgers import Append
from stillwatch.sharing.private.indicators import from_bytes
from stillwatch.sharing.private.limits import Asked


class Book:
    """Lines of JSON in `asked.ndjson`, and the secret under which own sets are committed to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / "asked.ndjson"
        self._lock = threading.Lock()
        self.entries = self._mend()

    def append(self, kind: str, subject: str, body: dict[str, Any]) -> int:
        """Write an entry and return its number."""
        line = json.dumps({"kind": kind, "subject": subject, **body}, sort_keys=True) + "\n"
        with self._lock:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self.entries += 1
            return self.entries - 1

    def recorder(self, ledger: Append | None) -> Append:
        """Return what writes an entry here, and into the ledger where there is one; the number is the ledger's then."""

        def record(kind: str, subject: str, body: dict[str, Any]) -> int:
            number = self.append(kind, subject, body)
            return number if ledger is None else ledger(kind, subject, body)

        return record

    def asked(self) -> list[Asked]:
        """Return what was asked before, for the limits."""
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        rows = [json.loads(line) for line in lines]
        return [Asked(row["at"], row["partner"], row["size"]) for row in rows if row["kind"] == "psi-asked"]

    def secret(self) -> bytes:
        """Return the folder's secret, made when first asked for."""
        path = self.folder / "secret"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
        return path.read_bytes()

    def consented(self, session: str) -> bool:
        """Whether a person allowed this session to reveal."""
        return (self.folder / "allowed" / session).exists()

    def allow(self, session: str) -> None:
        """Allow one session to reveal which elements are in common."""
        folder = self.folder / "allowed"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / session).touch()

    def keep(self, session: str, common: Iterable[bytes]) -> None:
        """Keep which of the own elements a session revealed to be in common: for a person here, not in the ledger."""
        folder = self.folder / "revealed"
        folder.mkdir(mode=0o700, exist_ok=True)
        rows = [asdict(from_bytes(element)) for element in sorted(common)]
        descriptor = os.open(folder / f"{session}.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=2)

    def knows(self, session: str) -> bool:
        """Whether a session has been counted here."""
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        rows = (json.loads(line) for line in lines)
        return any(row["kind"] == "psi-counted" and row["subject"] == session for row in rows)

    def _mend(self) -> int:
        """Cut off a line that a kill left half written; return how many there are."""
        if not self.path.exists():
            return 0
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)
        return data.count(b"\n", 0, whole)
