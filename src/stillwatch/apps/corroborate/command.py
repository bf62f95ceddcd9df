"""`stillwatch corroborate` and `stillwatch partner`: ask partners without showing, and answer those who ask."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from stillwatch.apps.control.common import By, print_json, say
from stillwatch.apps.control.records import Ledger, recording
from stillwatch.model import UsageError

if TYPE_CHECKING:
    from stillwatch.apps.corroborate.config import AskedRow

RAISED = 1

corroborate_app = typer.Typer()
partner = typer.Typer(no_args_is_help=True, help="Answer partners who ask without showing.")
corroborate_app.add_typer(partner, name="partner")

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of `stillwatch detect`.")]


@corroborate_app.command()
def corroborate(
    run: RunFolder,
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="A campaign of the run.")],
    partners: Annotated[Path, typer.Option("--partners", help="Whom we may ask, TOML.", metavar="FILE")],
    ask: Annotated[
        list[str] | None,
        typer.Option("--with", help="Ask this one; may be repeated. All when absent.", metavar="URL|NAME"),
    ] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="What `partner index` made of the run.", metavar="FILE")
    ] = None,
    allow: Annotated[Path | None, typer.Option("--allow", help="What is never asked about.", metavar="FILE")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Consent to say which are in common.")] = False,
    wait: Annotated[
        float, typer.Option("--wait", help="Wait so long for a partner's consent.", metavar="SECONDS", min=0)
    ] = 0.0,
    ledger: Ledger = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Ask partners what of a campaign they see too, without showing it, and add their answers up."""
    from stillwatch.apps.corroborate import asking, table  # here: `stillwatch version` must not wait for the engine
    from stillwatch.apps.corroborate.config import read_partners
    from stillwatch.apps.output import read_run
    from stillwatch.sharing.private.allowed import AllowList, read_allow_list

    chosen = asking.Asking(
        _chosen(read_partners(partners), ask, partners),
        reveal,
        wait,
        allow=AllowList() if allow is None else read_allow_list(allow),
    )
    found = asking.campaign_of(read_run(run), campaign)
    shown = index or _beside(run, "indicators.parquet")
    with recording(ledger, "session", "stillwatch corroborate") as append:
        told = asking.corroborate(found, shown, chosen, _beside(run, "asked"), append)
    if as_json:
        print_json(told.as_dict())
    else:
        wide = None if sys.stdout.isatty() else 200
        table.print_told(told, Console(highlight=False, width=wide))
    if told.failures and not told.outcomes:
        raise UsageError("; ".join(told.failures))
    if told.result.raised:
        raise typer.Exit(RAISED)


@partner.command("index")
def index_run(
    run: RunFolder,
    exchanges: Annotated[list[str], typer.Argument(metavar="EXCHANGES...", help="The log that the run is of.")],
    accounts: Annotated[str | None, typer.Option("--accounts", help="One row an account.", metavar="FILE")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="RUN.indicators.parquet unless said.", metavar="FILE")
    ] = None,
) -> None:
    """List what the members of a run's campaigns show and hardly anybody else does. It never leaves this machine."""
    from stillwatch.apps.corroborate.index import build_index
    from stillwatch.apps.corroborate.index_file import write_index
    from stillwatch.apps.output import read_run

    shown = build_index(read_run(run), exchanges, accounts)
    path = out or _beside(run, "indicators.parquet")
    write_index(shown, path)
    say(f"{len(shown):,} indicators of {len({one.campaign for one in shown}):,} campaigns: {path}")


@partner.command("serve")
def serve_partners(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Whom we answer, TOML.")],
    ledger: Ledger = None,
) -> None:
    """Answer partners who ask what is in common."""
    from stillwatch.apps.corroborate.config import read_serve_config
    from stillwatch.apps.corroborate.server import serve

    with recording(ledger, "session", "stillwatch partner serve") as append:
        serve(read_serve_config(config), say, append)


@partner.command("allow")
def allow_session(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Whom we answer, TOML.")],
    session: Annotated[str, typer.Argument(metavar="SESSION", help="A session that was counted.")],
    by: By,
    ledger: Ledger = None,
) -> None:
    """Consent that one session tells which indicators are in common, where `reveal` is `approved`."""
    from stillwatch.apps.corroborate.book import Book
    from stillwatch.apps.corroborate.config import read_serve_config

    book = Book(read_serve_config(config).state)
    if not book.knows(session):
        raise UsageError(f"{session[:64]}: no session was counted under this name; asked.ndjson lists them")
    with recording(ledger, "session", by) as append:
        book.recorder(append)("psi-allowed", session, {"by": by})
    book.allow(session)
    say(f"session {session} may tell which")


@partner.command("token")
def make_token() -> None:
    """Print a new token for a partner, and the hash of it for one's own file."""
    from stillwatch.apps.corroborate.config import hash_token, new_token

    token = new_token()
    print_json({"token": token, "token_sha256": hash_token(token)})


def _chosen(rows: dict[str, AskedRow], asked: list[str] | None, path: Path) -> dict[str, AskedRow]:
    """Return those that were named, by name or by URL; all when none was."""
    if not rows:
        raise UsageError(f"{path}: names no partner; add [NAME] with url and token_file")
    if not asked:
        return rows
    named = {key.rstrip("/"): name for name, row in rows.items() for key in (name, row.url)}
    missing = [one for one in asked if one.rstrip("/") not in named]
    if missing:
        raise UsageError(f"--with {missing[0]}: is not in {path}; it has {', '.join(rows)}")
    return {name: rows[name] for name in dict.fromkeys(named[one.rstrip("/")] for one in asked)}


def _beside(run: Path, what: str) -> Path:
    """Return a path beside a run's folder, which holds nothing but the run."""
    whole = run.resolve()
    return whole.with_name(f"{whole.name}.{what}")
