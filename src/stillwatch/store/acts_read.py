"""What actions there are on accounts and campaigns, and which hold at a moment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.sql import ColumnElement

from stillwatch.actions.decision import ActionKind
from stillwatch.model import UsageError
from stillwatch.store.database import Store, reading
from stillwatch.store.ledger.canonical import Value
from stillwatch.store.tables import ACTIONS


class Scope(StrEnum):
    """Whom an action is about."""

    ACCOUNT = "account"
    CAMPAIGN = "campaign"  # all its accounts, those that join it later too


class Status(StrEnum):
    """Where an action stands."""

    PROPOSED = "proposed"  # waits for a person
    APPROVED = "approved"  # by a person; in force
    ACTIVE = "active"  # in force without one, as the policy allows
    REVERSED = "reversed"
    EXPIRED = "expired"


IN_FORCE = (Status.APPROVED, Status.ACTIVE)
OPEN = (Status.PROPOSED, *IN_FORCE)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be done, to whom, why and until when."""

    scope: Scope
    subject_id: str
    kind: ActionKind
    reason: str  # code that the customer sees
    expires_at: int
    rule: str = ""  # of the policy that asks for it; empty: a person does
    parameters: Mapping[str, Value] = field(default_factory=dict)
    needs_approval: bool = True


@dataclass(frozen=True, slots=True)
class Action:
    """An action, as it stands at the moment that was asked about."""

    action_id: str
    scope: Scope
    subject_id: str
    kind: ActionKind
    parameters: Mapping[str, Any]
    reason: str
    rule: str
    status: Status
    created_at: int
    created_by: str
    expires_at: int
    approved_at: int | None
    approved_by: str | None
    reversed_at: int | None
    reversed_by: str | None
    ledger_index: int  # of the last entry about it


def acts_in_force(store: Store, now: int) -> list[Action]:
    """Return the actions that hold at a moment: approved, or active without approval, and not expired."""
    return _actions(store, now, ACTIONS.c.status.in_([each.value for each in IN_FORCE]), ACTIONS.c.expires_at > now)


def acts_withdrawn(store: Store, now: int) -> list[Action]:
    """Return the actions that a person reversed and that nobody approved again: what a rule must leave alone."""
    last: dict[tuple[str, ...], Action] = {}
    with reading(store) as connection:
        rows = connection.execute(select(ACTIONS).order_by(ACTIONS.c.ledger_index)).mappings()
        for each in read_actions(rows, now):
            if each.approved_by or each.reversed_by:
                last[each.scope, each.subject_id, each.kind, each.rule] = each
    return [each for each in last.values() if each.status is Status.REVERSED]


def list_actions(store: Store, now: int, *, status: Status | None = None, subject: str | None = None) -> list[Action]:
    """Return actions as they stand at a moment, the oldest first."""
    asked = [] if subject is None else [ACTIONS.c.subject_id == subject]
    return [each for each in _actions(store, now, *asked) if status is None or each.status is status]


def find_action(store: Store, action_id: str, now: int) -> Action:
    """Return one action. Raises UsageError where there is none."""
    for each in _actions(store, now, ACTIONS.c.action_id == action_id):
        return each
    raise UsageError(f"{action_id}: no such action; `stillwatch actions list` names them")


def _actions(store: Store, now: int, *conditions: ColumnElement[bool]) -> list[Action]:
    query = select(ACTIONS).where(*conditions).order_by(ACTIONS.c.created_at, ACTIONS.c.ledger_index)
    with reading(store) as connection:
        return read_actions(connection.execute(query).mappings(), now)


def read_actions(rows: Iterable[RowMapping], now: int) -> list[Action]:
    """Return rows of the table as they stand at a moment."""
    return [_as_action(dict(row), now) for row in rows]


def _as_action(row: dict[str, Any], now: int) -> Action:
    status = Status(row["status"])
    if status in OPEN and row["expires_at"] <= now:
        status = Status.EXPIRED  # by the clock: nobody has to be there to let an account go
    told = {
        "scope": Scope(row["scope"]),
        "kind": ActionKind(row["kind"]),
        "parameters": json.loads(row["parameters"]),
        "status": status,
    }
    return Action(**{**row, **told})
