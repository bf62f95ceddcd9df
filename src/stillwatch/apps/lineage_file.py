"""`lineage.json`: the record that one run hands on to the next, read and written."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from stillwatch.campaigns.identity import Status, Traces
from stillwatch.campaigns.lineage import Lineage, Record, Step
from stillwatch.model import InputRefused

LINEAGE = "lineage.json"
FORMAT = 1


def read_lineage(folder: Path) -> Lineage:
    """Return the lineage that an earlier run's folder carries; of a run before lineage, its campaigns' accounts.

    Raises InputRefused when a file is there and cannot be read.
    """
    path = folder / LINEAGE
    if not path.is_file():
        return _from_campaigns(folder / "campaigns.json")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise InputRefused(f"{path}: has format {told['format']}, this version reads {FORMAT}; use an earlier run")
        return Lineage(told["check"], tuple(_record(row) for row in told["campaigns"]), told["note"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputRefused(f"{path}: is damaged ({type(error).__name__}); give another run, or none") from error


def lineage_rows(lineage: Lineage) -> dict[str, Any]:
    """Return a lineage as `lineage.json` holds it."""
    return {
        "format": FORMAT,
        "check": lineage.check,
        "note": lineage.note,
        "campaigns": [_row(one) for one in lineage.records],
    }


def _row(one: Record) -> dict[str, Any]:
    return {
        "campaign_id": one.campaign_id,
        "status": one.status.value,
        "last_seen": one.last_seen,
        "parents": list(one.parents),
        "children": list(one.children),
        "because": one.because,
        "steps": [
            {"until": step.until, "status": step.status.value, "accounts": step.accounts, "exchanges": step.exchanges}
            for step in one.steps
        ],
        "members": sorted(one.traces.members),
        "began": one.traces.began,
        "banned": one.traces.banned,
        "marks": {family: sorted(marks) for family, marks in sorted(one.traces.marks.items())},
    }


def _record(row: dict[str, Any]) -> Record:
    steps = tuple(
        Step(_moment(step["until"]), Status(step["status"]), int(step["accounts"]), int(step["exchanges"]))
        for step in row["steps"]
    )
    traces = Traces(
        frozenset(row["members"]),
        {family: frozenset(marks) for family, marks in row["marks"].items()},
        None if row["began"] is None else _moment(row["began"]),
        None if row["banned"] is None else _moment(row["banned"]),
    )
    return Record(
        row["campaign_id"],
        Status(row["status"]),
        _moment(row["last_seen"]),
        traces,
        tuple(row["parents"]),
        tuple(row["children"]),
        row["because"],
        steps,
    )


def _from_campaigns(path: Path) -> Lineage:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        records = [_from_campaign(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputRefused(f"{path}: is damaged ({type(error).__name__}); give another run, or none") from error
    return Lineage("", tuple(sorted(records, key=lambda one: one.campaign_id)))


def _from_campaign(row: dict[str, Any]) -> Record:
    """Return a campaign of a run before lineage: known by its accounts, with no step, as its run's end is not told."""
    traces = Traces(frozenset(row["members"]))
    return Record(row["campaign_id"], Status(row["status"]), _moment(row["last_seen"]), traces)


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
