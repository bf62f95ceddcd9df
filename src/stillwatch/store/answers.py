"""Receipts of signed answers in the ledger: many leaves in one transaction, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from stillwatch.store.database import Store, writing
from stillwatch.store.ledger import tree
from stillwatch.store.ledger.entries import Answer, Entry, write_entry
from stillwatch.store.log import check_id, reader
from stillwatch.store.tables import ENTRIES, NODES

SUBJECT = "answer"


@dataclass(frozen=True, slots=True)
class GivenOut:
    """A receipt as the ledger keeps it."""

    at: int  # µs since 1970, UTC
    nonce: str
    digest: str
    kid: str


def enter_answers(store: Store, receipts: Sequence[GivenOut], by: str) -> int:
    """Append a leaf for each receipt that has none yet; return how many there were.

    It is one transaction, and others write to the ledger only after it: give a few hundred at a time. Nobody who polls
    the database's version has to read anything anew, so it stays.
    """
    with writing(store) as act:
        known = _known(act.connection, [each.nonce for each in receipts])
        fresh = list({each.nonce: each for each in receipts if each.nonce not in known}.values())
        if fresh:
            _append(act.connection, act.size, [_entry(each, by) for each in fresh])
            act.size += len(fresh)
            act.version -= 1
            act.touch()
        return len(fresh)


def _entry(each: GivenOut, by: str) -> Entry:
    return Entry(each.at, by, SUBJECT, check_id(each.nonce), Answer(each.digest, each.kid))


def _known(connection: Connection, nonces: Sequence[str]) -> set[str]:
    query = select(ENTRIES.c.subject_id).where(ENTRIES.c.subject_type == SUBJECT, ENTRIES.c.subject_id.in_(nonces))
    return set(connection.execute(query).scalars())


def _append(connection: Connection, size: int, entries: Sequence[Entry]) -> None:
    """Append entries with the nodes that they complete; a node made here is not read back."""
    stored, made = reader(connection), dict[tuple[int, int], bytes]()

    def read(level: int, place: int) -> bytes:
        found = made.get((level, place))
        return stored(level, place) if found is None else found

    rows, nodes = list[dict[str, Any]](), list[dict[str, Any]]()
    for leaf, entry in enumerate(entries, size):
        text = write_entry(entry)
        for level, place, hashed in tree.grow(leaf, tree.leaf_hash(text.encode()), read):
            made[level, place] = hashed
            nodes.append({"last": leaf, "level": level, "hash": hashed})
        row = {"leaf": leaf, "kind": entry.kind.value, "subject_type": entry.subject_type}
        rows.append(row | {"subject_id": entry.subject_id, "text": text})
    connection.execute(insert(ENTRIES), rows)
    connection.execute(insert(NODES), nodes)
