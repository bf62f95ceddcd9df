"""The ledger in the database: entries and nodes are added, and read back, never changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from stillwatch.model import UsageError
from stillwatch.store.ledger import tree
from stillwatch.store.ledger.entries import Entry, read_entry, write_entry
from stillwatch.store.tables import ENTRIES, LONGEST_ID, NODES, STATE


@dataclass(frozen=True, slots=True)
class Line:
    """An entry where it stands."""

    index: int
    text: str

    @property
    def entry(self) -> Entry:
        """What it says."""
        return read_entry(self.text)


def append(connection: Connection, size: int, entry: Entry) -> None:
    """Add an entry after `size` others, with the nodes that it completes. The caller holds the writers' lock."""
    check_id(entry.subject_id)
    try:
        text = write_entry(entry)
    except ValueError as error:
        raise UsageError(f"this cannot stand in the ledger: {error}") from None
    read = reader(connection)
    nodes = [
        {"last": size, "level": level, "hash": hashed}
        for level, _, hashed in tree.grow(size, tree.leaf_hash(text.encode()), read)
    ]
    connection.execute(
        insert(ENTRIES).values(
            leaf=size,
            kind=entry.kind.value,
            subject_type=entry.subject_type,
            subject_id=entry.subject_id,
            text=text,
        )
    )
    connection.execute(insert(NODES), nodes)


def reader(connection: Connection) -> tree.Read:
    """Return what fetches the hash of a complete node."""

    def read(level: int, place: int) -> bytes:
        last = ((place + 1) << level) - 1
        query = select(NODES.c.hash).where(NODES.c.last == last, NODES.c.level == level)
        found = connection.execute(query).scalar()
        if found is None:
            raise UsageError(f"the ledger lacks the hash over entries {last + 1 - (1 << level)} to {last}; verify it")
        return bytes(found)

    return read


def size(connection: Connection) -> int:
    """Return how many entries there are."""
    return int(connection.execute(select(STATE.c.ledger_size)).scalar_one())


def lines(
    connection: Connection, *, kind: str | None = None, subject: str | None = None, start: int = 0
) -> Iterator[Line]:
    """Yield entries in their order, of one kind or about one subject where asked."""
    query = select(ENTRIES.c.leaf, ENTRIES.c.text).where(ENTRIES.c.leaf >= start).order_by(ENTRIES.c.leaf)
    if kind is not None:
        query = query.where(ENTRIES.c.kind == kind)
    if subject is not None:
        query = query.where(ENTRIES.c.subject_id == subject)
    for index, text in connection.execution_options(yield_per=1_000).execute(query):
        yield Line(index, text)


def line(connection: Connection, index: int) -> Line:
    """Return one entry. Raises UsageError where there is none."""
    text = connection.execute(select(ENTRIES.c.text).where(ENTRIES.c.leaf == index)).scalar()
    if text is None:
        raise UsageError(f"the ledger has no entry {index}; it holds {size(connection)}")
    return Line(index, text)


def check_id(name: str) -> str:
    """Return the id of an account, campaign or policy, unless no database could index it. Raises UsageError."""
    if not name or len(name) > LONGEST_ID or not name.isprintable():
        raise UsageError(f"an id must have 1 to {LONGEST_ID} characters that can be printed")
    return name
