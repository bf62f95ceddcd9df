"""What the monitor remembers: one SQLite file, one transaction for each endpoint and round. No text is in it."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.integrity.monitor.betting import Capital
from stillwatch.integrity.monitor.watching import Observed
from stillwatch.model import InputRefused

VERSION = "1"
_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bags (endpoint TEXT NOT NULL, bag TEXT NOT NULL, value REAL NOT NULL);
CREATE TABLE IF NOT EXISTS capitals (
  endpoint TEXT NOT NULL, stream TEXT NOT NULL, holdings TEXT NOT NULL, steps INTEGER NOT NULL, peak REAL NOT NULL,
  PRIMARY KEY (endpoint, stream));
CREATE TABLE IF NOT EXISTS rounds (
  endpoint TEXT NOT NULL, at TEXT NOT NULL, heard INTEGER NOT NULL, asked INTEGER NOT NULL, answered INTEGER NOT NULL,
  log10_e REAL NOT NULL, channels TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refusals (endpoint TEXT NOT NULL, at TEXT NOT NULL, attack TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS alerts (
  id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0);
"""
_OF_ENDPOINT = ("bags", "capitals", "rounds", "refusals", "alerts")


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one endpoint."""

    endpoint: str
    at: str
    heard: int  # answers over all time
    asked: int
    answered: int
    log10_e: float
    channels: Mapping[str, float]  # log10 of each channel's e-value


class MonitorState:
    """The open file. Close it, or use it as a context."""

    def __init__(self, path: Path) -> None:
        self._open = sqlite3.connect(path, isolation_level=None)
        try:
            path.chmod(0o600)
            self._open.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)
            self._open.execute("INSERT OR IGNORE INTO about VALUES ('version', ?)", (VERSION,))
            self._open.execute("INSERT OR IGNORE INTO about VALUES ('seed', ?)", (secrets.token_hex(16),))
            if self._about("version") != VERSION:
                raise InputRefused(f"{path}: was written by another version; give a new folder as state")
        except BaseException as error:
            self._open.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise InputRefused(f"{path}: is no file of a monitor ({error})") from error
            raise

    def __enter__(self) -> MonitorState:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def seed(self) -> str:
        """What the coins of this state are made of."""
        return self._about("seed")

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write all of it or nothing, on the disk when this returns."""
        self._open.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._open.execute("ROLLBACK")
            raise
        self._open.execute("COMMIT")

    def pin(self, endpoint: str, digest: str) -> None:
        """Remember which reference an endpoint is held against."""
        self._open.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (f"reference/{endpoint}", digest))

    def pinned(self, endpoint: str) -> str | None:
        """Return the digest of the reference that an endpoint is held against, if it was asked yet."""
        found = self._open.execute("SELECT value FROM about WHERE name = ?", (f"reference/{endpoint}",)).fetchone()
        return None if found is None else str(found[0])

    def bags(self, endpoint: str) -> Iterator[tuple[str, float]]:
        """Yield what the endpoint's answers put into bags."""
        yield from self._open.execute("SELECT bag, value FROM bags WHERE endpoint = ?", (endpoint,))

    def capitals(self, endpoint: str) -> dict[str, Capital]:
        """Return the endpoint's bets by stream."""
        rows = self._open.execute("SELECT stream, holdings, steps, peak FROM capitals WHERE endpoint = ?", (endpoint,))
        return {stream: Capital(tuple(json.loads(held)), steps, peak) for stream, held, steps, peak in rows}

    def keep(self, told: Round, seen: Iterable[Observed], capitals: Mapping[str, Capital]) -> None:
        """Write a round down."""
        self._open.executemany(
            "INSERT INTO bags VALUES (?, ?, ?)", [(told.endpoint, each.bag, each.value) for each in seen]
        )
        self._open.executemany(
            "INSERT OR REPLACE INTO capitals VALUES (?, ?, ?, ?, ?)",
            [(told.endpoint, name, json.dumps(c.holdings), c.steps, c.peak) for name, c in capitals.items()],
        )
        row = (told.endpoint, told.at, told.heard, told.asked, told.answered, told.log10_e)
        self._open.execute("INSERT INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, json.dumps(told.channels)))

    def rounds(self, endpoint: str) -> list[Round]:
        """Return an endpoint's rounds in their order."""
        rows = self._open.execute(
            "SELECT endpoint, at, heard, asked, answered, log10_e, channels FROM rounds WHERE endpoint = ?"
            " ORDER BY rowid",
            (endpoint,),
        )
        return [Round(row[0], row[1], row[2], row[3], row[4], row[5], json.loads(row[6])) for row in rows]

    def refuse(self, endpoint: str, at: str, attack: str) -> None:
        """Count a tool call that the policy refused."""
        self._open.execute("INSERT INTO refusals VALUES (?, ?, ?)", (endpoint, at, attack))

    def refusals(self, endpoint: str) -> dict[str, int]:
        """Return how many tool calls were refused, by what they looked like."""
        rows = self._open.execute(
            "SELECT attack, count(*) FROM refusals WHERE endpoint = ? GROUP BY attack ORDER BY attack", (endpoint,)
        )
        return dict(rows.fetchall())

    def raise_alert(self, name: str, endpoint: str, at: str, kind: str, body: Mapping[str, Any]) -> bool:
        """Keep an alert until it is delivered; an alert that was raised already is not raised again."""
        done = self._open.execute(
            "INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, ?, 0)", (name, endpoint, at, kind, json.dumps(body))
        )
        return done.rowcount == 1

    def alerts(self, waiting: bool = False) -> list[dict[str, Any]]:
        """Return alerts in their order; `waiting`: those that were not delivered."""
        rows = self._open.execute(
            "SELECT id, endpoint, at, kind, body FROM alerts WHERE delivered <= ? ORDER BY rowid",
            (0 if waiting else 1,),
        )
        return [
            {"id": name, "endpoint": endpoint, "at": at, "kind": kind, **json.loads(body)}
            for name, endpoint, at, kind, body in rows
        ]

    def delivered(self, names: Sequence[str]) -> None:
        """Mark alerts as delivered."""
        self._open.executemany("UPDATE alerts SET delivered = 1 WHERE id = ?", [(name,) for name in names])

    def forget(self, endpoint: str) -> None:
        """Drop all that is known of an endpoint, its alerts too."""
        self._open.execute("DELETE FROM about WHERE name = ?", (f"reference/{endpoint}",))
        for table in _OF_ENDPOINT:
            self._open.execute(f"DELETE FROM {table} WHERE endpoint = ?", (endpoint,))

    def _about(self, name: str) -> str:
        return str(self._open.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()[0])
