"""Collections: where they are, what they are called, and the level of what is unmarked in them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from stillwatch.sharing.taxii.markings import Tlp
from stillwatch.sharing.taxii.tables import collections

_c = collections.c


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection. `number` is what the tables use, `id` what the standard wants, `alias` what people say."""

    number: int
    id: str
    root: str
    alias: str
    title: str
    description: str
    unmarked: Tlp

    @property
    def name(self) -> str:
        """How settings and commands name it."""
        return f"{self.root}/{self.alias}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A collection that should be there; without an id it gets one when it is made."""

    root: str
    alias: str
    title: str
    description: str = ""
    unmarked: Tlp = Tlp.AMBER
    id: str = ""


def all_collections(connection: sa.Connection) -> list[Collection]:
    """All of them, in the order in which they were made."""
    wanted = sa.select(_c.number, _c.id, _c.root, _c.alias, _c.title, _c.description, _c.unmarked)
    rows = connection.execute(wanted.order_by(_c.number))
    return [Collection(*row[:6], unmarked=Tlp(row[6])) for row in rows]


def put_collection(connection: sa.Connection, wanted: Wanted) -> None:
    """Make a collection, or change what it is called. Its id never changes."""
    told = {"title": wanted.title, "description": wanted.description, "unmarked": int(wanted.unmarked)}
    there = sa.and_(_c.root == wanted.root, _c.alias == wanted.alias)
    if connection.execute(sa.update(collections).where(there).values(told)).rowcount:
        return
    last = connection.execute(sa.select(sa.func.max(_c.number))).scalar() or 0
    own = {"number": last + 1, "id": wanted.id or str(uuid.uuid4()), "root": wanted.root, "alias": wanted.alias}
    connection.execute(collections.insert().values(**own, **told))
