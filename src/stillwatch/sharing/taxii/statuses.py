"""Status resources: what became of a posted envelope, kept for as long as the settings say."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from stillwatch.sharing.taxii.posting import Verdict
from stillwatch.sharing.taxii.tables import statuses
from stillwatch.sharing.taxii.times import now, write_time

LISTED = 100  # stored or waiting objects are named up to so many, else none is: clients take a part for a fault
HOUR = 3_600_000_000
_s = statuses.c


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may ask for a status, and where."""

    root: str
    partner: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it came, and the id of its status."""

    made: int = field(default_factory=now)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


def pending(request: Request, objects: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The status of an envelope that waits to be worked off; by id and version."""
    return {
        "id": request.id,
        "status": "pending",
        "request_timestamp": write_time(request.made),
        "total_count": len(objects),
        "success_count": 0,
        "failure_count": 0,
        "pending_count": len(objects),
        "pendings": _named(objects),
    }


def complete(request: Request, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The status of an envelope that is done with."""
    failed = [each for each in verdicts if each.message]
    good = [each for each in verdicts if not each.message]
    return {
        "id": request.id,
        "status": "complete",
        "request_timestamp": write_time(request.made),
        "total_count": len(verdicts),
        "success_count": len(good),
        "successes": _named([(each.object_id, each.version) for each in good]),
        "failure_count": len(failed),
        "failures": [{"id": each.object_id, "version": each.version, "message": each.message} for each in failed],
        "pending_count": 0,
    }


def _named(objects: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """All of them by id and version, or nothing where they are many."""
    return [{"id": each, "version": version} for each, version in objects] if len(objects) <= LISTED else []


def keep(connection: sa.Connection, status: dict[str, Any], owner: Owner, hours: int) -> None:
    """Store a status, or put it in the place of an earlier one; forget those that are older than `hours`."""
    body = json.dumps({key: value for key, value in status.items() if value != []}, separators=(",", ":")).encode()
    if not connection.execute(sa.update(statuses).where(_s.id == status["id"]).values(body=body)).rowcount:
        row = {"id": status["id"], "root": owner.root, "partner": owner.partner, "made": now(), "body": body}
        connection.execute(statuses.insert().values(row))
    connection.execute(sa.delete(statuses).where(_s.made < now() - hours * HOUR))


def find(connection: sa.Connection, status_id: str, owner: Owner, hours: int) -> bytes | None:
    """A status, for the partner whose request it was."""
    wanted = sa.select(_s.body).where(
        _s.id == status_id, _s.root == owner.root, _s.partner == owner.partner, _s.made >= now() - hours * HOUR
    )
    found = connection.execute(wanted).scalar()
    return None if found is None else bytes(found)
