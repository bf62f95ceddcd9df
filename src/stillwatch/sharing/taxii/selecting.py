"""Which stored objects a request is about: one condition in SQL for filters, versions and clearance.

An object above a partner's clearance takes no part in anything, so "the last version" is the last that they may see.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from stillwatch.sharing.taxii.markings import Tlp
from stillwatch.sharing.taxii.query import Query
from stillwatch.sharing.taxii.tables import objects

_o = objects.c
_other = objects.alias("other")
_n = _other.c


@dataclass(frozen=True, slots=True)
class View:
    """One collection through the eyes of one partner."""

    collection: int
    clearance: Tlp


def visible(view: View) -> sa.ColumnElement[bool]:
    """What the partner may know of."""
    return sa.and_(_o.collection == view.collection, _o.level <= int(view.clearance))


def chosen(view: View, query: Query) -> sa.ColumnElement[bool]:
    """What the filters choose of it."""
    parts = [visible(view)]
    if query.after:
        parts.append(_o.seq > query.after)
    if query.ids:
        parts.append(_o.object_id.in_(query.ids))
    if query.types:
        parts.append(_o.type.in_(query.types))
    if query.spec_versions:
        parts.append(_o.spec_version.in_(query.spec_versions))
    parts.append(_version(view, query))
    return sa.and_(*parts)


def _version(view: View, query: Query) -> sa.ColumnElement[bool]:
    wanted = query.versions or ("last",)
    if wanted == ("last",) and not query.spec_versions:
        return _none(view, _after_in_all())  # the common request: one seek in one index
    ways = []
    if "last" in wanted:
        ways.append(_none(view, _beyond(query, _n.version > _o.version)))
    if "first" in wanted:
        ways.append(_none(view, _beyond(query, _n.version < _o.version)))
    if "all" in wanted:
        ways.append(_none(view, _beyond(query, sa.false())))
    if query.exact:
        ways.append(sa.and_(_o.version.in_(query.exact), _none(view, _beyond(query, sa.false()))))
    return sa.or_(*ways)


def _after_in_all() -> sa.ColumnElement[bool]:
    """The other is of a later STIX version, or a later version of the object, or the stricter copy of the same."""
    return sa.tuple_(_n.spec_version, _n.version, _n.tlp) > sa.tuple_(_o.spec_version, _o.version, _o.tlp)


def _beyond(query: Query, version: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The other stands in this one's place: by its STIX version, its version, or as the stricter copy of the same."""
    stricter = sa.and_(_n.spec_version == _o.spec_version, _n.version == _o.version, _n.tlp > _o.tlp)
    if query.spec_versions:
        return sa.and_(_n.spec_version.in_(query.spec_versions), sa.or_(version, stricter))
    same = sa.and_(_n.spec_version == _o.spec_version, version)
    return sa.or_(_n.spec_version > _o.spec_version, same, stricter)


def _none(view: View, beyond: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    other = sa.and_(
        _n.collection == view.collection, _n.object_id == _o.object_id, _n.level <= int(view.clearance), beyond
    )
    return ~sa.exists(sa.select(sa.literal(1)).select_from(_other).where(other))
