"""Envelopes that are stored at once, and long ones that are put aside and worked off later.

What is put aside lies in the database until it is stored, in the same transaction that stores it: a process that dies
loses nothing, and does nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stillwatch.sharing.taxii import statuses
from stillwatch.sharing.taxii.catalogue import Collection, all_collections
from stillwatch.sharing.taxii.database import Database
from stillwatch.sharing.taxii.markings import Tlp
from stillwatch.sharing.taxii.posting import Verdict, store
from stillwatch.sharing.taxii.reading import Batch, Sender, read_batch
from stillwatch.sharing.taxii.selecting import View
from stillwatch.sharing.taxii.settings import LimitsTable
from stillwatch.sharing.taxii.tables import inbox, partners
from stillwatch.sharing.taxii.words import Refusal

_i = inbox.c


@dataclass(frozen=True, slots=True)
class Done:
    """An envelope that was worked off."""

    status: dict[str, Any]
    partner: str
    collection: str


def accept_batch(database: Database, sender: Sender, batch: Batch, hours: int) -> dict[str, Any]:
    """Store a batch and its status as one; returns the status."""
    request = statuses.Request()
    with database.writing() as connection:
        return _store(connection, sender, batch, (request, hours))


def put_aside(database: Database, sender: Sender, batch: Batch, body: bytes, hours: int) -> dict[str, Any]:
    """Keep a body to be worked off, and a status that says so."""
    request = statuses.Request()
    objects = [(each.object_id, each.version_text) for each in batch.posted]
    objects += [(each.object_id, each.version) for each in batch.refused]
    status = statuses.pending(request, objects)
    row = {"status_id": request.id, "made": request.made, "collection": sender.collection.number}
    with database.writing() as connection:
        statuses.keep(connection, status, _owner(sender), hours)
        connection.execute(inbox.insert().values(**row, partner=sender.partner, body=body))
    return status


def work_off_one(database: Database, limits: LimitsTable) -> Done | None:
    """Store the oldest envelope that waits; None when there is none."""
    with database.writing() as connection:
        wanted = sa.select(_i.status_id, _i.made, _i.collection, _i.partner, _i.body).order_by(_i.made).limit(1)
        row = connection.execute(wanted.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        connection.execute(sa.delete(inbox).where(_i.status_id == row.status_id))
        sender = _sender(connection, row.partner, row.collection)
        batch = _read(bytes(row.body), sender, limits)
        request = statuses.Request(row.made, row.status_id)
        status = _store(connection, sender, batch, (request, limits.status_hours))
    return Done(status, sender.partner, sender.collection.name)


def _read(body: bytes, sender: Sender, limits: LimitsTable) -> Batch:
    """It was read before; only limits that were lowered since can refuse it now."""
    try:
        return read_batch(body, sender.collection.unmarked, limits)
    except Refusal as refusal:
        return Batch((), (Verdict("the envelope", "unknown", str(refusal)),))


def _store(
    connection: sa.Connection, sender: Sender, batch: Batch, kept: tuple[statuses.Request, int]
) -> dict[str, Any]:
    request, hours = kept
    verdicts = store(connection, View(sender.collection.number, sender.clearance), batch.posted, sender.partner)
    status = statuses.complete(request, [*verdicts, *batch.refused])
    statuses.keep(connection, status, _owner(sender), hours)
    return status


def _sender(connection: sa.Connection, partner: str, number: int) -> Sender:
    """Who posted, as they stand now: one who was taken out meanwhile sees nothing more."""
    clearance = connection.execute(sa.select(partners.c.clearance).where(partners.c.name == partner)).scalar()
    found: Collection = next(each for each in all_collections(connection) if each.number == number)
    return Sender(partner, Tlp.CLEAR if clearance is None else Tlp(clearance), found)


def _owner(sender: Sender) -> statuses.Owner:
    return statuses.Owner(sender.collection.root, sender.partner)
