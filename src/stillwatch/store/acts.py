"""Actions on accounts and campaigns: proposed, approved by name, in force until they expire, taken back by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import insert, select, update

from stillwatch.model import UsageError
from stillwatch.store.acts_read import OPEN, Action, Proposal, Status, read_actions
from stillwatch.store.database import Store, Writing, writing
from stillwatch.store.ledger import entries
from stillwatch.store.ledger.canonical import Value, canonical
from stillwatch.store.log import check_id
from stillwatch.store.tables import ACTIONS


def propose_action(store: Store, proposal: Proposal, at: int, by: str) -> Action:
    """Propose an action, or bring it into force where no approval is needed.

    The same action that is still open is returned as it is, so that a watcher may ask every minute, and so is one that
    a person took back, to a rule that asks again while it would have lasted. After that it comes back as a proposal
    only, until a person approves it: no automaton overrules a person.
    """
    _check(proposal, at)
    parameters = _written(proposal.parameters)
    with writing(store) as act:
        earlier = _of_the_kind(act, proposal, at)
        for found in earlier:
            if _asks_the_same(found, proposal) and _answers(found, proposal, at):
                return found
        in_force = not (proposal.needs_approval or _overruled(earlier))
        action_id = f"act-{act.size}"  # index of the entry that proposes it: unique, and easy to find
        content = _content(action_id, proposal, in_force)
        index = act.append(entries.Entry(at, by, proposal.scope.value, check_id(proposal.subject_id), content))
        row = {
            "action_id": action_id,
            "scope": proposal.scope.value,
            "subject_id": proposal.subject_id,
            "kind": proposal.kind.value,
            "parameters": parameters,
            "reason": proposal.reason,
            "rule": proposal.rule,
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


def _of_the_kind(act: Writing, proposal: Proposal, at: int) -> list[Action]:
    """Actions of the same kind about the same subject, those about which something happened last at the end."""
    query = select(ACTIONS).where(
        ACTIONS.c.scope == proposal.scope.value,
        ACTIONS.c.subject_id == proposal.subject_id,
        ACTIONS.c.kind == proposal.kind.value,
    )
    return read_actions(act.connection.execute(query.order_by(ACTIONS.c.ledger_index)).mappings(), at)


def _asks_the_same(action: Action, proposal: Proposal) -> bool:
    asked = (proposal.rule, proposal.reason, canonical(proposal.parameters))
    return (action.rule, action.reason, canonical(action.parameters)) == asked


def _answers(action: Action, proposal: Proposal, at: int) -> bool:
    """Say whether what became of an action is the answer to asking for it again."""
    refused = action.status is Status.REVERSED and action.expires_at > at
    return action.status in OPEN or (refused and proposal.rule != "")


def _overruled(actions: Iterable[Action]) -> bool:
    """Say whether the last word of a person about such actions was to take one back."""
    words = [each.reversed_at is not None for each in actions if each.approved_by or each.reversed_by]
    return bool(words) and words[-1]


def _content(action_id: str, proposal: Proposal, in_force: bool) -> entries.Action:
    return entries.Action(
        action_id,
        proposal.kind.value,
        proposal.parameters,
        proposal.reason,
        proposal.rule,
        proposal.expires_at,
        in_force,
    )


def _find(act: Writing, action_id: str, at: int) -> Action:
    query = select(ACTIONS).where(ACTIONS.c.action_id == action_id)
    for each in read_actions(act.connection.execute(query).mappings(), at):
        return each
    raise UsageError(f"{action_id}: no such action; `stillwatch actions list` names them")


def _change(act: Writing, action_id: str, changed: Mapping[str, Any], at: int) -> Action:
    act.connection.execute(update(ACTIONS).where(ACTIONS.c.action_id == action_id).values(**changed))
    return _find(act, action_id, at)


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
