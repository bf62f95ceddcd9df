"""What parts beside the control plane did stands in its ledger too, where a deployment has one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.apps.control.common import now, opened

if TYPE_CHECKING:
    from stillwatch.store.database import Store

Append = Callable[[str, str, dict[str, Any]], int]  # act, id of what it is about, facts → index of the entry

Ledger = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        help="Control plane's database, whose ledger keeps it; before STILLWATCH_DATABASE.",
        metavar="URL",
        show_default=False,
    ),
]


@contextmanager
def recording(ledger: str | None, about: str, by: str) -> Iterator[Append | None]:
    """Yield what enters a record about an `about` (campaign, session, …); None where no database is named.

    Raises UsageError where the one that is named is not there: whoever wants a record gets no act without it.
    """
    named = ledger or os.environ.get("STILLWATCH_DATABASE")
    if not named:
        yield None
        return
    with opened(named) as store:
        yield appender(store, about, by)


def appender(store: Store, about: str, by: str) -> Append:
    """Return what enters records into an open store. Threads may share it."""
    from stillwatch.store.database import writing
    from stillwatch.store.ledger.entries import Entry, Record

    def append(act: str, subject: str, facts: dict[str, Any]) -> int:
        entry = Entry(now(), by, about, subject, Record(act, _whole(facts)))
        with writing(store) as under_way:
            return under_way.append(entry)

    return append


def _whole(value: Any) -> Any:
    """Return a value with fractions as text, as the ledger has them."""
    from stillwatch.store.ledger.canonical import decimal

    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, Mapping):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(each) for each in value]
    return value
