"""`stillwatch keys`: gateway keys, for whoever runs the gateway."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.apps.control.common import (
    AsJson,
    By,
    Database,
    moment,
    now,
    opened,
    print_json,
    print_table,
    printable,
    say,
)

if TYPE_CHECKING:
    from stillwatch.store.keys import Key

app = typer.Typer(no_args_is_help=True, help="Keys by which accounts call the gateway.")
DAY = 86_400_000_000  # µs


@app.command()
def issue(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Whose key it is.")],
    by: By,
    label: Annotated[str, typer.Option("--label", help="What it is for.", metavar="TEXT")] = "",
    days: Annotated[
        int | None, typer.Option("--days", help="How long it is good; for ever when absent.", metavar="N", min=1)
    ] = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a key of an account and print it, this once: only its hash is kept."""
    at = now()
    with opened(database, create=True) as store:
        from stillwatch.store.keys import KeyRequest, issue_key

        request = KeyRequest(account, label, None if days is None else at + days * DAY)
        key, kept = issue_key(store, request, at, by)
    if as_json:
        print_json({"key": key, **dataclasses.asdict(kept)})
    else:
        print(key)
        say(f"{kept.key_id} of {printable(account)}: it is shown this once; `stillwatch keys revoke` takes its number")
    if not os.environ.get("STILLWATCH_SECRET"):
        say("STILLWATCH_SECRET is not set: the gateway must run without it too, or no key will fit")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY-ID", help="As `stillwatch keys list` prints it.")],
    by: By,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a key good no longer; the gateway's workers know it a second later."""
    with opened(database) as store:
        from stillwatch.store.keys import revoke_key

        found = revoke_key(store, key_id, now(), by)
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        print(f"{found.key_id} of {printable(found.account_id)} is revoked since {moment(found.revoked_at)} UTC")


@app.command("list")
def list_(
    account: Annotated[str | None, typer.Option("--account", help="Only keys of this account.", metavar="ID")] = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List keys: whose, what for, since when and until when; never the keys."""
    at = now()
    with opened(database) as store:
        from stillwatch.store.keys import list_keys

        found = list_keys(store, account)
    if as_json:
        print_json([{**dataclasses.asdict(each), "state": _state(each, at)} for each in found])
    else:
        rows = [
            (
                each.key_id,
                each.account_id,
                each.label,
                _state(each, at),
                moment(each.created_at),
                moment(each.expires_at),
            )
            for each in found
        ]
        print_table(("key", "account", "label", "state", "created (UTC)", "expires (UTC)"), rows)


def _state(key: Key, at: int) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= at else "good"
