"""What the tables of actions and keys must hold according to the ledger: an act that nobody logged shows here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, select

from stillwatch.store.ledger import entries
from stillwatch.store.ledger.canonical import canonical
from stillwatch.store.tables import ACTIONS, KEYS

NEVER = {"approved_at": None, "approved_by": None, "reversed_at": None, "reversed_by": None}


class Replay:
    """Rows as the entries so far make them; each with the index of the last entry about it."""

    def __init__(self) -> None:
        self._actions: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, dict[str, Any]] = {}
        self._last_of_key: dict[str, int] = {}

    def add(self, index: int, entry: entries.Entry) -> None:
        """Take an entry into account."""
        match entry.content:
            case entries.Action() as told:
                self._actions[told.action_id] = _proposed(entry, told)
            case entries.Approval(action_id):
                changed = {"status": "approved", "approved_at": entry.at, "approved_by": entry.by}
                self._actions.setdefault(action_id, {}).update(changed)
            case entries.Reversal(action_id):
                changed = {"status": "reversed", "reversed_at": entry.at, "reversed_by": entry.by}
                self._actions.setdefault(action_id, {}).update(changed)
            case entries.KeyIssued(key_id, label, expires_at):
                row = {"account_id": entry.subject_id, "label": label, "created_at": entry.at, "expires_at": expires_at}
                self._keys[key_id] = {**row, "revoked_at": None}
                self._last_of_key[key_id] = index
            case entries.KeyRevoked(key_id):
                self._keys.setdefault(key_id, {})["revoked_at"] = entry.at
                self._last_of_key[key_id] = index
        if isinstance(entry.content, entries.Action | entries.Approval | entries.Reversal):
            self._actions[entry.content.action_id]["ledger_index"] = index

    def compare(self, connection: Connection) -> Iterator[tuple[int | None, str]]:
        """Yield what the tables say otherwise: the index of the last entry about it, and what."""
        last = {name: row["ledger_index"] for name, row in self._actions.items()}
        yield from _differences(connection, ACTIONS, "action", self._actions, last)
        yield from _differences(connection, KEYS, "key", self._keys, self._last_of_key)


def _proposed(entry: entries.Entry, told: entries.Action) -> dict[str, Any]:
    return {
        "scope": entry.subject_type,
        "subject_id": entry.subject_id,
        "kind": told.kind,
        "parameters": canonical(told.parameters),
        "reason": told.reason,
        "rule": told.rule,
        "status": "active" if told.in_force else "proposed",
        "created_at": entry.at,
        "created_by": entry.by,
        "expires_at": told.expires_at,
        **NEVER,
    }


def _differences(
    connection: Connection, table: Table, noun: str, logged: dict[str, dict[str, Any]], last: dict[str, int]
) -> Iterator[tuple[int | None, str]]:
    stored = {row[f"{noun}_id"]: row for row in connection.execute(select(table)).mappings()}
    for name in sorted(logged.keys() | stored.keys()):
        if name not in stored:
            yield last.get(name), f"{noun} {name} is in the ledger, but not in the database"
        elif name not in logged:
            yield None, f"{noun} {name} is in the database, but no entry tells of it"
        else:
            wrong = sorted(field for field, value in logged[name].items() if stored[name][field] != value)
            if wrong:
                yield last.get(name), f"{noun} {name} has another {' and '.join(wrong)} than the ledger tells"
