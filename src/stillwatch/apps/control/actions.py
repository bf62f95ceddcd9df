"""`stillwatch actions`: what is in force on whom, what waits for a person, and the person's word."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.apps.control.common import AsJson, By, Database, moment, now, opened, print_json, print_table, printable
from stillwatch.model import UsageError

if TYPE_CHECKING:
    from stillwatch.store.acts_read import Action

app = typer.Typer(no_args_is_help=True, help="Actions on accounts and campaigns: what is in force, and what waits.")

ActionId = Annotated[str, typer.Argument(metavar="ACTION", help="As `stillwatch actions list` prints it.")]


@app.command("list")
def list_(
    status: Annotated[
        str | None,
        typer.Option("--status", help="proposed, approved, active, reversed or expired.", metavar="STATUS"),
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Only actions on this account or campaign.", metavar="ID")
    ] = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List actions as they stand now."""
    with opened(database) as store:
        from stillwatch.store.acts_read import Status, list_actions

        if status is not None and status not in set(Status):
            raise UsageError(f"--status {status}: expected one of {', '.join(Status)}")
        found = list_actions(store, now(), status=None if status is None else Status(status), subject=subject)
    if as_json:
        print_json([_as_dict(each) for each in found])
    else:
        columns = ("action", "status", "on", "kind", "reason", "rule", "expires (UTC)", "by", "entry")
        print_table(columns, [_cells(each) for each in found])


@app.command()
def approve(action: ActionId, by: By, database: Database = None, as_json: AsJson = False) -> None:
    """Let a proposed action come into force, in your name."""
    with opened(database) as store:
        from stillwatch.store.acts import approve_action

        found = approve_action(store, action, now(), by)
    _tell(found, f"in force until {moment(found.expires_at)} UTC", as_json)


@app.command()
def reverse(
    action: ActionId,
    by: By,
    because: Annotated[str, typer.Option("--because", help="Why; it stands in the ledger.", metavar="TEXT")] = "",
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take an action back, or refuse one that waits, in your name."""
    with opened(database) as store:
        from stillwatch.store.acts import reverse_action

        found = reverse_action(store, action, now(), by, because)
    _tell(found, "no rule brings it back without a person", as_json)


def _tell(found: Action, follows: str, as_json: bool) -> None:
    if as_json:
        print_json(_as_dict(found))
    else:
        what = f"{found.kind} on {found.scope} {printable(found.subject_id)}"
        print(f"{found.action_id} ({what}) is {found.status}: {follows}; entry {found.ledger_index} of the ledger")


def _as_dict(action: Action) -> dict[str, Any]:
    return dataclasses.asdict(action)


def _cells(each: Action) -> tuple[object, ...]:
    who = each.reversed_by or each.approved_by or each.created_by
    on = f"{each.scope} {each.subject_id}"
    expires = moment(each.expires_at)
    return each.action_id, each.status, on, each.kind, each.reason, each.rule, expires, who, each.ledger_index
