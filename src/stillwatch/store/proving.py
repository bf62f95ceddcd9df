"""Proof files from the database, for whoever does not have it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from stillwatch.model import UsageError
from stillwatch.store.database import Store, reading
from stillwatch.store.ledger import proofs, tree
from stillwatch.store.ledger.files import consistency_file, inclusion_file
from stillwatch.store.ledger.notes import Checkpoint, SigningKey, read_checkpoint, sign_checkpoint
from stillwatch.store.log import line, reader, size


def head(store: Store) -> tuple[int, bytes]:
    """Return the log's size and root, from the stored nodes."""
    with reading(store) as connection:
        told = size(connection)
        return told, tree.root(told, reader(connection))


def checkpoint(store: Store, key: SigningKey) -> str:
    """Return the signed note over the log as it is."""
    return sign_checkpoint(*head(store), key)


def prove_entry(store: Store, index: int, note: str | None = None) -> dict[str, Any]:
    """Return the proof file of an entry, in the log of a checkpoint or in the log as it is."""
    with reading(store) as connection:
        told = _size(connection, note)
        if not 0 <= index < told:
            raise UsageError(f"no entry {index} in a log of {told}; the first is 0")
        path = proofs.inclusion(index, told, reader(connection))
        return inclusion_file(index, line(connection, index).text, told, path, note)


def prove_growth(store: Store, old: str, new: str | None = None) -> dict[str, Any]:
    """Return the proof file that the log of an older checkpoint is the beginning of a newer one's, or of this one."""
    with reading(store) as connection:
        first, told = _size(connection, old), _size(connection, new)
        if first > told:
            raise UsageError(f"the older checkpoint is of {first} entries, the newer log of {told}; swap them")
        path = proofs.consistency(first, told, reader(connection))
        return consistency_file(old, new, told, path)


def _size(connection: Connection, note: str | None) -> int:
    """The size that a checkpoint is of, once it is one of this log."""
    now = size(connection)
    if note is None:
        return now
    told: Checkpoint = read_checkpoint(note, None)  # no signature is needed: its root is compared
    if told.size > now or tree.root(told.size, reader(connection)) != told.root:
        raise UsageError("the checkpoint is not of this log, or the log was altered; verify it with --checkpoint")
    return told.size
