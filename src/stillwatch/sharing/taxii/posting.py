"""Objects are stored: each once, under a number of its own, at a level that hides what it must."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stillwatch.sharing.taxii.checks import Posted
from stillwatch.sharing.taxii.database import insert_many, next_numbers
from stillwatch.sharing.taxii.levels import Node, chunks, openness, relax, settle
from stillwatch.sharing.taxii.selecting import View
from stillwatch.sharing.taxii.tables import objects, references

CLASH = "another content is stored under this id and version; give it a later 'modified'"
COLUMNS = tuple(column.name for column in objects.columns)
_o = objects.c
_Key = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one posted object; no message means that it is stored."""

    object_id: str
    version: str
    message: str = ""


def store(connection: sa.Connection, view: View, posted: Sequence[Posted], by: str) -> list[Verdict]:
    """Store objects in their order, inside the caller's transaction. What is there already counts as stored.

    `view` is the sender's. Whether an object that they may not see is stored already, they do not learn: such a one
    is a success like any other.
    """
    stored = _stored(connection, view.collection, posted)
    clashes = _clashes(connection, view, posted, stored)
    fresh = list({each.key: each for each in reversed(posted) if each.key not in stored}.values())[::-1]
    if fresh:
        before: dict[str, int] = {}
        for (object_id, *_), (_, level) in stored.items():
            before[object_id] = min(level, before.get(object_id, level))
        _insert(connection, view.collection, fresh, before, by)
    firsts = {each.key: each for each in fresh}
    verdicts = []
    for place, each in enumerate(posted):
        first = firsts.get(each.key)
        clash = place in clashes or (first is not None and not _same(first.raw, each.raw))
        verdicts.append(Verdict(each.object_id, each.version_text, CLASH if clash else ""))
    return verdicts


def _stored(connection: sa.Connection, collection: int, posted: Sequence[Posted]) -> dict[_Key, tuple[int, int]]:
    """Number and level of what is stored already, by key."""
    found: dict[_Key, tuple[int, int]] = {}
    for ids in chunks(sorted({each.object_id for each in posted})):
        wanted = sa.select(_o.object_id, _o.spec_version, _o.version, _o.tlp, _o.seq, _o.level)
        rows = connection.execute(wanted.where(_o.collection == collection, _o.object_id.in_(ids)))
        found.update({(a, b, c, d): (seq, level) for a, b, c, d, seq, level in rows})
    return found


def _clashes(
    connection: sa.Connection, view: View, posted: Sequence[Posted], stored: dict[_Key, tuple[int, int]]
) -> set[int]:
    """Places of posted objects that are stored with another content, where the sender may see that."""
    again = {place: stored[each.key][0] for place, each in enumerate(posted) if each.key in stored}
    seen = {place: seq for place, seq in again.items() if stored[posted[place].key][1] <= view.clearance}
    clashes: set[int] = set()
    for places in chunks(sorted(seen)):
        wanted = sa.select(_o.seq, _o.raw).where(_o.seq.in_({seen[place] for place in places}))
        raws = {seq: bytes(raw) for seq, raw in connection.execute(wanted)}
        clashes |= {place for place in places if not _same(raws[seen[place]], posted[place].raw)}
    return clashes


def _same(one: bytes, other: bytes) -> bool:
    return one == other or json.loads(one) == json.loads(other)


def _insert(connection: sa.Connection, collection: int, fresh: list[Posted], before: dict[str, int], by: str) -> None:
    """Store new objects; `before` has the openness of their ids."""
    names = {name for each in fresh for name in each.names} - {each.object_id for each in fresh}
    before = openness(connection, collection, names) | before
    nodes = [Node(each.object_id, int(each.tlp), int(each.tlp), each.names) for each in fresh]
    relax(nodes, before)
    number = next_numbers(connection, len(fresh))
    placed = enumerate(zip(fresh, nodes, strict=True), start=number)
    rows = [_row(seq, collection, each, node.level, by) for seq, (each, node) in placed]
    insert_many(connection, objects, COLUMNS, rows)
    named = [(seq, name, collection) for seq, each in enumerate(fresh, start=number) for name in each.names]
    if named:
        insert_many(connection, references, ("seq", "target", "collection"), named)
    settle(connection, collection, _moved(nodes, before))


def _moved(nodes: Iterable[Node], before: dict[str, int]) -> set[str]:
    """Ids that became more open, or that are new and not open to all: what names them is to be worked out anew."""
    now: dict[str, int] = {}
    for node in nodes:
        now[node.object_id] = min(node.level, now.get(node.object_id, node.level))
    return {name for name, level in now.items() if (level < before[name] if name in before else level > 0)}


def _row(number: int, collection: int, posted: Posted, level: int, by: str) -> tuple[Any, ...]:
    """Values in the order of COLUMNS."""
    named = (posted.object_id, posted.type, posted.spec_version, posted.version, posted.version_text)
    return number, collection, *named, int(posted.tlp), int(posted.tlp), level, by, posted.raw
