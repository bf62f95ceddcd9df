"""Commitments of marks' keys in the ledger: each once, since its first entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from stillwatch.model import InputRefused
from stillwatch.store.database import Store, reading, writing
from stillwatch.store.ledger.canonical import Value
from stillwatch.store.ledger.entries import Entry, MarkCommitted, read_entry
from stillwatch.store.log import check_id
from stillwatch.store.tables import ENTRIES

SUBJECT = "mark"


@dataclass(frozen=True, slots=True)
class Standing:
    """A commitment where it stands in the ledger."""

    index: int
    at: int  # µs since 1970, UTC
    by: str
    told: MarkCommitted


def enter_commitment(store: Store, told: MarkCommitted, at: int, by: str) -> Standing:
    """Enter a commitment that the ledger lacks, and return where it stands: one that stands already keeps its moment.

    The same key bound to another method is another commitment.
    Raises UsageError for what cannot stand in a ledger.
    """
    with writing(store) as act:
        held = find_commitment(_standing(act.connection, told.scope), told.commitment, told.method)
        if held is not None:
            return held
        return Standing(act.append(Entry(at, by, SUBJECT, check_id(told.scope), told)), at, by, told)


def read_commitments(store: Store, scope: str | None = None) -> list[Standing]:
    """Return the commitments of a scope, or all, in the order in which they were entered. Raises InputRefused."""
    with reading(store) as connection:
        return list(_standing(connection, scope))


def find_commitment(standing: Iterable[Standing], commitment: str, method: Mapping[str, Value]) -> Standing | None:
    """Return the first of these that binds a key, by its commitment in hexadecimal, to a method."""
    return next((each for each in standing if _binds(each, method) and each.told.commitment == commitment), None)


def committed(store: Store, method: Mapping[str, Value]) -> frozenset[str]:
    """Return every commitment to a method that stands in the ledger, in hexadecimal."""
    return frozenset(each.told.commitment for each in read_commitments(store) if _binds(each, method))


def _binds(standing: Standing, method: Mapping[str, Value]) -> bool:
    return standing.told.method == method


def _standing(connection: Connection, scope: str | None) -> Iterator[Standing]:
    # by subject, which has an index: a ledger may hold millions of entries of other kinds
    query = select(ENTRIES.c.leaf, ENTRIES.c.text).where(ENTRIES.c.subject_type == SUBJECT).order_by(ENTRIES.c.leaf)
    if scope is not None:
        query = query.where(ENTRIES.c.subject_id == scope)
    for index, text in connection.execute(query):
        try:
            entry = read_entry(text)
        except ValueError:
            raise InputRefused(f"entry {index} of the ledger cannot be read; `stillwatch ledger verify`") from None
        if isinstance(entry.content, MarkCommitted):
            yield Standing(index, entry.at, entry.by, entry.content)
