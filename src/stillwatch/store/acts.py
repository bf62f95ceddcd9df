"""Actions against accounts and campaigns: proposed, approved by name, in force until they expire, taken back by name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.sql import ColumnElement

from stillwatch.actions.decision import ActionKind
from stillwatch.model import UsageError
from stillwatch.store.database import Store, Writing, reading, writing
from stillwatch.store.ledger import entries
from stillwatch.store.ledger.canonical import Value, canonical
from stillwatch.store.log import check_id
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
    status: Status
    created_at: int
    created_by: str
    expires_at: int
    approved_at: int | None
    approved_by: str | None
    reversed_at: int | None
    reversed_by: str | None
    ledger_index: int  # of the last entry about it


def propose_action(store: Store, proposal: Proposal, at: int, by: str) -> Action:
    """Propose an action, or bring it into force where no approval is needed.

    The same action that is still open is returned as it is, so that a watcher may ask every minute. What a person
    reversed comes back as a proposal only, for as long as it would have lasted: no automaton overrules a person.
    """
    _check(proposal, at)
    parameters = _written(proposal.parameters)
    with writing(store) as act:
        same = _of_the_same(act, proposal, parameters, at)
        for found in same:
            if found.status in OPEN:
                return found
        overruled = any(found.status is Status.REVERSED for found in same)
        in_force = not (proposal.needs_approval or overruled)
        action_id = f"act-{act.size}"  # index of the entry that proposes it: unique, and easy to find
        content = entries.Action(
            action_id, proposal.kind.value, proposal.parameters, proposal.reason, proposal.expires_at, in_force
        )
        index = act.append(entries.Entry(at, by, proposal.scope.value, check_id(proposal.subject_id), content))
        row = {
            "action_id": action_id,
            "scope": proposal.scope.value,
            "subject_id": proposal.subject_id,
            "kind": proposal.kind.value,
            "parameters": parameters,
            "reason": proposal.reason,
            "status": (Status.ACTIVE if in_force else Status.PROPOSED).value,
            "created_at": at,
            "created_by": by,
            "expires_at": proposal.expires_at,
            "ledger_index": index,
        }
        act.connection.execute(insert(ACTIONS).values(row))
        return _find(act, action_id, at)


def approve_action(store: Store, action_id: str, at: int, by: str) -> Action:
    """Let a proposed action come into force, in a person's name."""
    _check_name(by)
    with writing(store) as act:
        found = _find(act, action_id, at)
        if found.status is not Status.PROPOSED:
            raise UsageError(f"{action_id} is {found.status}; only a proposed action can be approved")
        index = act.append(entries.Entry(at, by, found.scope.value, found.subject_id, entries.Approval(action_id)))
        changed = {"status": Status.APPROVED.value, "approved_at": at, "approved_by": by, "ledger_index": index}
        return _change(act, action_id, changed, at)


def reverse_action(store: Store, action_id: str, at: int, by: str, because: str = "") -> Action:
    """Take an action back, or refuse one that is proposed, in a person's name."""
    _check_name(by)
    with writing(store) as act:
        found = _find(act, action_id, at)
        if found.status not in OPEN:
            raise UsageError(f"{action_id} is {found.status}; only an action that is open can be reversed")
        index = act.append(
            entries.Entry(at, by, found.scope.value, found.subject_id, entries.Reversal(action_id, because))
        )
        changed = {"status": Status.REVERSED.value, "reversed_at": at, "reversed_by": by, "ledger_index": index}
        return _change(act, action_id, changed, at)


def acts_in_force(store: Store, now: int) -> list[Action]:
    """Return the actions that hold at a moment: approved, or active without approval, and not expired."""
    return _actions(store, now, ACTIONS.c.status.in_([each.value for each in IN_FORCE]), ACTIONS.c.expires_at > now)


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
        return _read(connection.execute(query).mappings(), now)


def _of_the_same(act: Writing, proposal: Proposal, parameters: str, at: int) -> list[Action]:
    """Actions of the same kind about the same subject that have not run out; those that are open, only if equal."""
    query = select(ACTIONS).where(
        ACTIONS.c.scope == proposal.scope.value,
        ACTIONS.c.subject_id == proposal.subject_id,
        ACTIONS.c.kind == proposal.kind.value,
        ACTIONS.c.expires_at > at,
    )
    found = _read(act.connection.execute(query).mappings(), at)
    return [
        each
        for each in found
        if each.status is Status.REVERSED
        or (canonical(each.parameters) == parameters and each.reason == proposal.reason)
    ]


def _find(act: Writing, action_id: str, at: int) -> Action:
    query = select(ACTIONS).where(ACTIONS.c.action_id == action_id)
    for each in _read(act.connection.execute(query).mappings(), at):
        return each
    raise UsageError(f"{action_id}: no such action; `stillwatch actions list` names them")


def _change(act: Writing, action_id: str, changed: Mapping[str, Any], at: int) -> Action:
    act.connection.execute(update(ACTIONS).where(ACTIONS.c.action_id == action_id).values(**changed))
    return _find(act, action_id, at)


def _read(rows: Iterable[RowMapping], now: int) -> list[Action]:
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


def _check(proposal: Proposal, at: int) -> None:
    if proposal.expires_at <= at:
        raise UsageError("an action must expire later than it is proposed")
    if not proposal.reason:
        raise UsageError("an action needs a reason code, which its customer sees")


def _written(parameters: Mapping[str, Value]) -> str:
    try:
        return canonical(parameters)
    except ValueError as error:
        raise UsageError(f"the parameters of an action cannot stand in the ledger: {error}") from None


def _check_name(by: str) -> None:
    if not by.strip() or not by.isprintable():
        raise UsageError("an approval or a reversal needs the name of a person")
