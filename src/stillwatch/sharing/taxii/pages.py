"""Pages of objects, manifest records and versions, in the order in which they were added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stillwatch.sharing.taxii.query import Query
from stillwatch.sharing.taxii.selecting import View, chosen, visible
from stillwatch.sharing.taxii.tables import objects

_o = objects.c
_AT_ONCE = 64  # rows that are held while it is seen whether the page is full


@dataclass(frozen=True, slots=True)
class Size:
    """What one page holds at most."""

    objects: int = 1_000
    length: int = 16 << 20


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page, the numbers of its first and last, and whether more follow."""

    rows: list[Any]
    first: int | None
    last: int | None
    more: bool


def page_of_objects(connection: sa.Connection, view: View, query: Query, size: Size) -> Page:
    """The bytes of objects, as many as fit. At least one fits, however long it is."""
    limit = min(query.limit or size.objects, size.objects)
    rows: list[bytes] = []
    first = last = None
    length, more = 0, False
    for seq, raw in _rows(connection, [_o.seq, _o.raw], view, query, limit + 1):
        length += len(raw)
        if len(rows) == limit or (rows and length > size.length):
            more = True
            break
        first = seq if first is None else first
        last = seq
        rows.append(bytes(raw))
    return Page(rows, first, last, more)


def page_of_records(connection: sa.Connection, view: View, query: Query, size: Size) -> Page:
    """Rows of number, id, version and STIX version: what manifest and versions tell."""
    limit = min(query.limit or size.objects, size.objects)
    columns = [_o.seq, _o.object_id, _o.version_text, _o.spec_version]
    rows = list(_rows(connection, columns, view, query, limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, rows[0][0] if rows else None, rows[-1][0] if rows else None, more)


def is_there(connection: sa.Connection, view: View, object_id: str) -> bool:
    """Whether the partner may know of any version of an object."""
    wanted = sa.select(_o.seq).where(visible(view), _o.object_id == object_id).limit(1)
    return connection.execute(wanted).first() is not None


def _rows(
    connection: sa.Connection, columns: list[sa.Column[Any]], view: View, query: Query, count: int
) -> Iterator[tuple[Any, ...]]:
    """Rows in order, fetched some at a time, so that a page of long objects is not read beyond its end."""
    wanted = sa.select(*columns).where(chosen(view, query)).order_by(_o.seq).limit(count)
    result = connection.execute(wanted, execution_options={"yield_per": _AT_ONCE})
    try:
        for part in result.partitions():
            yield from (tuple(row) for row in part)
    finally:
        result.close()
