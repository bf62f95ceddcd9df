"""Recomputes the whole ledger, and says where it was touched: entries, hashes, and what the tables make of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, or_, select

from stillwatch.store.database import Store, reading
from stillwatch.store.ledger import tree
from stillwatch.store.ledger.entries import Entry, read_entry
from stillwatch.store.ledger.notes import Checkpoint
from stillwatch.store.log import size
from stillwatch.store.replay import Replay
from stillwatch.store.tables import ENTRIES, NODES

BATCH = 2_000  # entries held at a time


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it was written; `index` is the entry's, or none where no one entry is to blame."""

    index: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What the whole log is, recomputed from the texts of its entries."""

    size: int
    root: bytes
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Walk:
    """The log, walked from its first entry to its last."""

    faults: list[Fault]
    root: bytes
    at_mark: bytes  # root over as many entries as the checkpoint is of
    replay: Replay


def audit(store: Store, checkpoint: Checkpoint | None = None) -> Audit:
    """Recompute the log, and compare with it the hashes, columns and tables; and a checkpoint from elsewhere."""
    with reading(store) as connection:
        told = size(connection)
        walk = _walk(connection, told, 0 if checkpoint is None else checkpoint.size)
        faults = walk.faults + [Fault(index, what) for index, what in walk.replay.compare(connection)]
    if checkpoint is not None:
        faults += _compare(checkpoint, told, walk.at_mark)
    return Audit(told, walk.root, tuple(sorted(faults, key=lambda each: (each.index is None, each.index or 0))))


def check_entries(connection: Connection, told: int) -> list[Fault]:
    """Return what is wrong with the entries and hashes of a log of that size."""
    return _walk(connection, told, 0).faults


def _walk(connection: Connection, told: int, mark: int) -> _Walk:
    count, replay, at_mark = _Recount(), Replay(), tree.EMPTY
    faults = list(_outside(connection, told))
    end = _end(connection, told)
    for start in range(0, end, BATCH):
        for index, row, stored in _batch(connection, start, min(start + BATCH, end)):
            faults += _check(index, row, stored, count)
            entry = None if row is None else _entry(row)
            if entry is not None:
                replay.add(index, entry)
            at_mark = count.root if count.size == mark else at_mark
    if end < told:
        faults.append(Fault(end, f"entries {end} to {told - 1} are missing"))
    return _Walk(faults, count.root, at_mark, replay)


def _end(connection: Connection, told: int) -> int:
    """How far there is anything to walk: a size that was altered must not keep us for years."""
    highest = (connection.execute(select(func.max(each))).scalar() for each in (ENTRIES.c.leaf, NODES.c.last))
    return min(told, 1 + max(-1 if each is None else int(each) for each in highest))


class _Recount:
    """The right edges of two trees: the one that the texts make, and the one that is stored."""

    def __init__(self) -> None:
        self.size = 0
        self._made: dict[int, bytes] = {}
        self.stored: dict[int, bytes] = {}

    def add(self, leaf: bytes) -> None:
        self._made.update(
            {level: each for level, _, each in tree.grow(self.size, leaf, lambda level, _: self._made[level])}
        )
        self.size += 1

    @property
    def root(self) -> bytes:
        return tree.fold_peaks([self._made[level] for level, _ in tree.peaks(0, self.size)])


def _batch(connection: Connection, start: int, end: int) -> Iterator[tuple[int, RowMapping | None, dict[int, bytes]]]:
    """Yield each index with its row, if there is one, and the stored nodes that it completed."""
    entries = select(ENTRIES).where(ENTRIES.c.leaf >= start, ENTRIES.c.leaf < end)
    rows = {row["leaf"]: row for row in connection.execute(entries).mappings()}
    nodes: dict[int, dict[int, bytes]] = defaultdict(dict)
    for node in connection.execute(select(NODES).where(NODES.c.last >= start, NODES.c.last < end)):
        nodes[node.last][node.level] = bytes(node.hash)
    for index in range(start, end):
        yield index, rows.get(index), nodes[index]


def _check(index: int, row: RowMapping | None, stored: dict[int, bytes], count: _Recount) -> Iterator[Fault]:
    """Compare an entry and the nodes that it completes, and go on to the next."""
    if row is None:
        yield Fault(index, "the entry is missing")
        leaf = stored.get(0, b"")
    else:
        leaf = tree.leaf_hash(row["text"].encode(errors="replace"))
        yield from _check_row(index, row)
        if stored.get(0) != leaf:
            yield Fault(index, "the entry does not have the hash that was stored with it: one of the two was altered")
    count.add(leaf)
    yield from _check_nodes(index, stored, count)


def _check_nodes(index: int, stored: dict[int, bytes], count: _Recount) -> Iterator[Fault]:
    """Compare each stored node with its stored halves, so that one wrong hash is one fault and not a chain of them."""
    levels = (index + 1 & -(index + 1)).bit_length()  # as many nodes end at this leaf
    below = stored.get(0, b"")
    for level in range(1, levels):
        found, made = stored.get(level), tree.node_hash(count.stored.get(level - 1, b""), below)
        if found != made:
            first = index + 1 - (1 << level)
            word = "missing" if found is None else "not that of its halves: it or one of them was altered"
            yield Fault(index, f"the hash over entries {first} to {index} is {word}")
        count.stored[level - 1] = below
        below = made if found is None else found
    count.stored[levels - 1] = below
    if extra := sorted(set(stored) - set(range(levels))):
        yield Fault(index, f"a hash of level {extra[0]} stands where none can be")


def _check_row(index: int, row: RowMapping) -> Iterator[Fault]:
    entry = _entry(row)
    if entry is None:
        yield Fault(index, "the entry cannot be read: it is not as any stillwatch of this version writes one")
        return
    repeated = (row["kind"], row["subject_type"], row["subject_id"])
    if repeated != (entry.kind.value, entry.subject_type, entry.subject_id):
        yield Fault(index, "the columns beside the entry do not say what it says")


def _entry(row: RowMapping) -> Entry | None:
    try:
        return read_entry(row["text"])
    except ValueError:
        return None


def _outside(connection: Connection, told: int) -> Iterator[Fault]:
    """What stands before the first entry or after the last."""
    for table, column, word in ((ENTRIES, ENTRIES.c.leaf, "entry"), (NODES, NODES.c.last, "hash")):
        beyond = select(column).select_from(table).where(or_(column < 0, column >= told)).distinct().order_by(column)
        for (index,) in connection.execute(beyond):
            yield Fault(index, f"an {word} stands outside the log of {told} entries".replace("an hash", "a hash"))


def _compare(checkpoint: Checkpoint, told: int, root: bytes) -> Iterator[Fault]:
    if checkpoint.size > told:
        yield Fault(told, f"the checkpoint vouches for {checkpoint.size} entries: from here on they are missing")
    elif root != checkpoint.root:
        yield Fault(None, f"the first {checkpoint.size} entries are not those that the checkpoint vouches for")
