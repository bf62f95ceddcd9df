"""What the commands of the control plane share: which database, who asks, what time it is, how it is printed."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stillwatch.model import MissingDependency, UsageError

if TYPE_CHECKING:
    from stillwatch.store.database import Store

DEFAULT = "stillwatch.sqlite"
SECOND = 1_000_000  # µs

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="SQLite file or PostgreSQL URL; before STILLWATCH_DATABASE.",
        metavar="URL",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON instead of tables.")]
By = Annotated[str, typer.Option("--by", help="Your name: it stands in the ledger.", metavar="NAME")]


def database_named(given: str | None) -> str:
    """Return which database is meant: the one given, or the environment's, or a file in the current folder."""
    return given or os.environ.get("STILLWATCH_DATABASE") or DEFAULT


def opened(given: str | None, *, create: bool = False) -> Store:
    """Open the database that is meant."""
    try:
        from stillwatch.store.database import open_store
    except ImportError as error:
        raise MissingDependency(f"the control plane needs {error.name}: pip install 'stillwatch[gateway]'") from None
    return open_store(database_named(given), os.environb.get(b"STILLWATCH_SECRET", b""), create=create)


def now() -> int:
    """Return the time of day in µs since 1970, UTC."""
    return time.time_ns() // 1_000


def moment(micros: int | None) -> str:
    """Return a moment in print."""
    if micros is None:
        return ""
    try:
        return dt.datetime.fromtimestamp(micros / SECOND, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(micros)


def read_file(option: str, path: Path) -> str:
    """Return the text of a file that an option names. Raises UsageError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"{option} {path}: {why}") from None


def print_json(data: Any, *, lines: bool = False) -> None:
    """Print data as one JSON document, or as one line of many."""
    print(json.dumps(data, ensure_ascii=False, indent=None if lines else 2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as a table; nothing that came from outside can draw on the terminal."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(printable(each)) for each in row))
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200)
    console.print(table)


def printable(value: object) -> str:
    """Return a value's text without characters that steer a terminal."""
    return "".join(each if each.isprintable() else "\ufffd" for each in ("" if value is None else str(value)))


def say(line: str) -> None:
    """Say something that is no data."""
    print(line, file=sys.stderr)
