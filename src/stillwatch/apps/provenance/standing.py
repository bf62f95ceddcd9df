"""Commitments of keys and the deployment's ledger: entered before anything is served, looked up by every test."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stillwatch.apps.control.common import now, opened
from stillwatch.model import InputRefused
from stillwatch.provenance.keyring import Append, MarkKey
from stillwatch.provenance.twins import rules
from stillwatch.provenance.watermark import marks

if TYPE_CHECKING:
    from stillwatch.store.commitments import Standing
    from stillwatch.store.database import Store

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
Row = dict[str, Any]


@contextmanager
def entering(ledger: str | None, by: str) -> Iterator[Append | None]:
    """Yield what enters a commitment and returns its entry's number; None where no ledger is named.

    One that stands already is not entered again. Raises UsageError where the ledger that is named is not there.
    """
    with _named(ledger) as store:
        yield None if store is None else _appender(store, by)


def look_up(key: MarkKey, ledger: str | None) -> Row:
    """Return what a report says of a key's commitment in the ledger; nothing where no ledger is named.

    Raises InputRefused where it does not stand there: a key that nobody is bound to proves nothing.
    """
    with _named(ledger) as store:
        if store is None:
            return {}
        found = _of_scope(store, key)
    standing = _first(found, key)
    term = key.term
    if standing is None:
        raise InputRefused(
            f"the ledger has no commitment of epoch {term.epoch} of {term.scope} for {term.purpose} to this method; one"
            " that was published elsewhere is named by --commitment, without --ledger and STILLWATCH_DATABASE"
        )
    beside = {each.told.commitment for each in found if each.told.purpose == term.purpose} - {key.commitment}
    return {"ledger": {**told(standing), "by": standing.by, "others": len(beside)}}


def entries_of(keys: list[MarkKey], ledger: str | None) -> list[Row]:
    """Return for each key where its commitment stands in the ledger; nulls where it does not, nothing without one."""
    with _named(ledger) as store:
        if store is None:
            return [{} for _ in keys]
        return [told(_first(_of_scope(store, key), key)) for key in keys]


def method_of(purpose: str) -> dict[str, str]:
    """Return what a key of a purpose is bound to: how its test goes."""
    return rules.METHOD if purpose == "twins" else marks.METHOD


def told(standing: Standing | None) -> Row:
    """Return an entry's number, and since when it stands (UTC)."""
    if standing is None:
        return {"entry": None, "since": None}
    return {"entry": standing.index, "since": (EPOCH + dt.timedelta(microseconds=standing.at)).isoformat()}


@contextmanager
def _named(ledger: str | None) -> Iterator[Store | None]:
    named = ledger or os.environ.get("STILLWATCH_DATABASE")
    if not named:
        yield None
        return
    with opened(named) as store:
        yield store


def _appender(store: Store, by: str) -> Append:
    from stillwatch.store.commitments import enter_commitment
    from stillwatch.store.ledger.entries import MarkCommitted

    def append(kind: str, subject: str, body: Row) -> int:
        del kind, subject  # the entry has both of its own
        return enter_commitment(store, MarkCommitted(**body), now(), by).index

    return append


def _of_scope(store: Store, key: MarkKey) -> list[Standing]:
    from stillwatch.store.commitments import read_commitments

    return read_commitments(store, key.term.scope)


def _first(found: list[Standing], key: MarkKey) -> Standing | None:
    from stillwatch.store.commitments import find_commitment

    return find_commitment(found, key.commitment, method_of(key.term.purpose))
