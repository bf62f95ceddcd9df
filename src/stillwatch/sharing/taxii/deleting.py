"""Objects are deleted: the versions that a partner names, of those that they may know of."""

from __future__ import annotations

import sqlalchemy as sa

from stillwatch.sharing.taxii.levels import chunks, hold
from stillwatch.sharing.taxii.query import Query
from stillwatch.sharing.taxii.selecting import View, chosen, visible
from stillwatch.sharing.taxii.tables import objects, references

_o = objects.c


def delete_object(connection: sa.Connection, view: View, query: Query) -> int:
    """Delete versions of the one object that the query names, all unless it says which; returns how many went."""
    wanted = sa.select(_o.seq).where(visible(view), _o.object_id.in_(query.ids), _version(view, query))
    if query.spec_versions:
        wanted = wanted.where(_o.spec_version.in_(query.spec_versions))
    numbers = list(connection.execute(wanted).scalars())
    if not numbers:
        return 0
    for object_id in query.ids:
        hold(connection, view.collection, object_id)
    for some in chunks(numbers):
        connection.execute(sa.delete(references).where(references.c.seq.in_(some)))
        connection.execute(sa.delete(objects).where(_o.seq.in_(some)))
    return len(numbers)


def _version(view: View, query: Query) -> sa.ColumnElement[bool]:
    """Every copy of the versions that are named; without a name every version."""
    if query.versions in ((), ("all",)):
        return sa.true()
    return sa.or_(_o.version.in_(query.exact), chosen(view, query))
