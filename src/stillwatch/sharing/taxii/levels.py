"""Who may see an object follows from its own marking and from the objects that it names.

A relationship between two objects tells that both are there, so it is never shown to whom one of them is hidden. Each
stored row carries its level: the strictest of its own marking and of the ids that it names; an id is as open as its
most open version. That is worked out when something is stored, so that reading compares two small numbers.

A level falls only when a more open version of what it names is stored. When what it names is deleted, it stays: else a
deletion would reveal what was hidden.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from stillwatch.sharing.taxii.database import next_numbers
from stillwatch.sharing.taxii.tables import objects, references

T = TypeVar("T")
CHUNK = 500  # ids in one statement
_o = objects.c
_r = references.c


@dataclass(slots=True)
class Node:
    """One stored version of an object, as far as its level goes."""

    object_id: str
    floor: int
    level: int
    names: Sequence[str] = ()


def openness(connection: sa.Connection, collection: int, ids: Iterable[str]) -> dict[str, int]:
    """The level of the most open version of each id that is stored."""
    found: dict[str, int] = {}
    for some in chunks(sorted(set(ids))):
        wanted = sa.select(_o.object_id, sa.func.min(_o.level)).where(_o.collection == collection)
        for object_id, level in connection.execute(wanted.where(_o.object_id.in_(some)).group_by(_o.object_id)):
            found[object_id] = level
    return found


def relax(nodes: Iterable[Node], outside: Mapping[str, int]) -> None:
    """Raise levels until each is as strict as what it names. Ends, since they only rise and there are five."""
    rows = list(nodes)
    versions: dict[str, list[Node]] = defaultdict(list)
    for node in rows:
        versions[node.object_id].append(node)

    def of(name: str) -> int:
        known = [node.level for node in versions.get(name, ())]
        if name in outside:
            known.append(outside[name])
        return min(known, default=0)

    naming = [node for node in rows if node.names]
    changed = True
    while changed:
        changed = False
        for node in naming:
            level = max(node.floor, *(of(name) for name in node.names))
            if level > node.level:
                node.level = level
                changed = True


def settle(connection: sa.Connection, collection: int, ids: Iterable[str]) -> None:
    """Work out anew the levels of all that names these ids, directly or through others.

    A row whose level falls gets a new number: who could not see it has passed the old one.
    """
    nodes = _closure(connection, collection, set(ids))
    if not nodes:
        return
    before = {seq: node.level for seq, node in nodes.items()}
    for node in nodes.values():
        node.level = node.floor
    relax(nodes.values(), _outside(connection, collection, nodes))
    for seq, node in nodes.items():
        if node.level > before[seq]:
            connection.execute(sa.update(objects).where(_o.seq == seq).values(level=node.level))
        elif node.level < before[seq]:
            number = next_numbers(connection, 1)
            connection.execute(sa.update(objects).where(_o.seq == seq).values(level=node.level, seq=number))
            connection.execute(sa.update(references).where(_r.seq == seq).values(seq=number))


def hold(connection: sa.Connection, collection: int, object_id: str) -> None:
    """Before an object is deleted: what names it keeps the level that it has now."""
    naming = sa.select(_r.seq).where(_r.collection == collection, _r.target == object_id)
    connection.execute(sa.update(objects).where(_o.seq.in_(naming), _o.floor < _o.level).values(floor=_o.level))


def _closure(connection: sa.Connection, collection: int, ids: set[str]) -> dict[int, Node]:
    nodes: dict[int, Node] = {}
    seen, frontier = set(ids), set(ids)
    while frontier:
        found: set[str] = set()
        for some in chunks(sorted(frontier)):
            wanted = (
                sa.select(_o.seq, _o.object_id, _o.floor, _o.level)
                .join(references, _r.seq == _o.seq)
                .where(_r.collection == collection, _r.target.in_(some))
            )
            for seq, object_id, floor, level in connection.execute(wanted):
                nodes.setdefault(seq, Node(object_id, floor, level))
                found.add(object_id)
        frontier = found - seen
        seen |= found
    for some_seqs in chunks(sorted(nodes)):
        names: dict[int, list[str]] = defaultdict(list)
        for seq, target in connection.execute(sa.select(_r.seq, _r.target).where(_r.seq.in_(some_seqs))):
            names[seq].append(target)
        for seq, each in names.items():
            nodes[seq].names = each
    return nodes


def _outside(connection: sa.Connection, collection: int, nodes: Mapping[int, Node]) -> dict[str, int]:
    """The most open version of each id, among rows that are not worked out anew."""
    ids = {node.object_id for node in nodes.values()} | {name for node in nodes.values() for name in node.names}
    found: dict[str, int] = {}
    for some in chunks(sorted(ids)):
        wanted = sa.select(_o.object_id, _o.seq, _o.level).where(_o.collection == collection, _o.object_id.in_(some))
        for object_id, seq, level in connection.execute(wanted):
            if seq not in nodes:
                found[object_id] = min(level, found.get(object_id, level))
    return found


def chunks(values: Sequence[T]) -> Iterable[Sequence[T]]:
    """Slices short enough for one statement."""
    return (values[at : at + CHUNK] for at in range(0, len(values), CHUNK))
