"""`stillwatch feeds`: pull what partners report, look at what was not taken, and hand back what one sent."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.apps.control.common import print_json
from stillwatch.model import UsageError

REFUSED = 3  # exit status: a source could not be read
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="Partners and their sources, in TOML.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON instead of lines.")]
app = typer.Typer(no_args_is_help=True, help="Pull what partners report, for `stillwatch detect --intel`.")


@app.command()
def pull(
    config: Config,
    once: Annotated[bool, typer.Option("--once", help="Pull once and end; else again and again, as set.")] = False,
    as_json: AsJson = False,
) -> None:
    """Pull every source of every partner, from where the last pull ended."""
    from stillwatch.sharing.feeds.pull import Clock
    from stillwatch.sharing.feeds.pull import pull as pull_all

    while True:
        with _open(config) as (settings, store):
            done = pull_all(settings, store, Clock(time.time_ns() // 1_000, time.sleep))
        rows = [{name: getattr(one, name) for name in type(one).__slots__} for one in done]
        _print(rows, [_line(row) for row in rows], as_json)
        if once:
            break
        sys.stdout.flush()
        time.sleep(settings.seconds)
    if any(one.trouble for one in done):
        raise typer.Exit(REFUSED)


@app.command()
def quarantine(config: Config, as_json: AsJson = False) -> None:
    """List what was not taken: partner, file or collection, object, what is wrong, and the mend."""
    import sqlalchemy as sa

    from stillwatch.sharing.feeds.store import quarantine as table

    with _open(config) as (_, store):
        rows = store.rows(sa.select(table).order_by(table.c.place))
    kept = [{name: row[name] for name in ("partner", "source", "object_id", "wrong", "mend")} for row in rows]
    _print(kept, [f"{r['source']}: {r['object_id'] or 'as a whole'}: {r['wrong']}; {r['mend']}" for r in kept], as_json)


@app.command()
def export(
    config: Config,
    partner: Annotated[str, typer.Option("--partner", help="Whose objects.", metavar="NAME")],
    out: Annotated[Path, typer.Option("--out", help="File for the bundle.", metavar="FILE")],
) -> None:
    """Write what a partner sent as a STIX bundle: the newest version of each object, byte for byte."""
    from stillwatch.sharing.feeds.exporting import bundle_of

    with _open(config) as (settings, store):
        if partner not in {one.name for one in settings.partner}:
            raise UsageError(f"--partner {partner}: the settings have {', '.join(o.name for o in settings.partner)}")
        try:
            out.write_bytes(bundle_of(store, partner))
        except OSError as error:
            raise UsageError(f"{out}: cannot be written ({error.strerror})") from None


@contextmanager
def _open(config: Path) -> Iterator[tuple[Any, Any]]:
    from stillwatch.sharing.feeds.settings import read_settings
    from stillwatch.sharing.feeds.store import Store

    settings = read_settings(config)
    store = Store(Path(settings.folder))
    try:
        yield settings, store
    finally:
        store.close()


def _line(row: dict[str, Any]) -> str:
    line = f"{row['partner']}: {row['source']}: {row['new']} new, {row['refused']} refused"
    return f"{line}; ended early: {row['trouble']}" if row["trouble"] else line


def _print(rows: list[dict[str, Any]], lines: list[str], as_json: bool) -> None:
    if as_json:
        print_json(rows)
    elif lines:
        print("\n".join(lines))
