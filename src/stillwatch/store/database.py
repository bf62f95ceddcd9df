"""The control plane's database: opened and brought up to date, read from, and written to by one writer at a time.

Every act is one transaction that changes tables and appends to the ledger, so that neither is ever without the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, update
from sqlalchemy.exc import DBAPIError, TimeoutError

from stillwatch.model import InputRefused, UsageError
from stillwatch.store import urls
from stillwatch.store.ledger.entries import Entry
from stillwatch.store.log import append
from stillwatch.store.migrate import migrate
from stillwatch.store.tables import STATE


class StoreUnavailable(InputRefused):
    """The database cannot be reached, is locked for too long, or has no room; nothing of the act was done."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open database. Threads may share one; a process that forks opens its own."""

    engine: Engine = field(repr=False)
    secret: bytes = field(repr=False)  # keys the hashes of gateway keys
    name: str

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class Writing:
    """One act under way: no other writer is, until it ends."""

    connection: Connection
    version: int  # that the database has once this act is done
    size: int  # of the ledger so far
    touched: bool = False

    def append(self, entry: Entry) -> int:
        """Add an entry to the ledger and return its index."""
        append(self.connection, self.size, entry)
        self.touched, self.size = True, self.size + 1
        return self.size - 1

    def touch(self) -> None:
        """Say that something changed which readers must see."""
        self.touched = True


def open_store(database: str, secret: bytes = b"", *, create: bool = True) -> Store:
    """Open a database, and make or mend its tables first. Without `create`, a file that is not there is refused."""
    url = urls.read_url(database)
    _check_file(urls.file_of(url), create)
    store = Store(_engine(url), secret, urls.named(url))
    try:
        with _talking(store):
            migrate(store.engine)
    except BaseException:
        store.close()
        raise
    return store


@contextmanager
def reading(store: Store) -> Iterator[Connection]:
    """Yield a connection that sees one moment of the database."""
    with _talking(store), store.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(store: Store) -> Iterator[Writing]:
    """Yield the one act that is under way; it is done when the block ends, and not at all when it raises."""
    with _talking(store), store.engine.connect() as connection, connection.execution_options(writes=True).begin():
        # the row is locked until the end, so indexes have no gaps and the tree has one order
        version, size = connection.execute(select(STATE.c.version, STATE.c.ledger_size).with_for_update()).one()
        act = Writing(connection, version + 1, size)
        yield act
        if act.touched:
            connection.execute(update(STATE).values(version=act.version, ledger_size=act.size))


def version(store: Store) -> int:
    """Return a number that grows with every change: what a worker asks each second."""
    with reading(store) as connection:
        return int(connection.execute(select(STATE.c.version)).scalar_one())


@contextmanager
def _talking(store: Store) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreUnavailable(f"{store.name}: {_words(error.orig)}") from None
    except TimeoutError:
        raise StoreUnavailable(f"{store.name}: every connection is in use") from None


def _words(error: BaseException | None) -> str:
    """What the driver says, in one line; pg8000 hands on the server's fields."""
    told = error.args[0] if error is not None and error.args else ""
    words = told.get("M", "") if isinstance(told, dict) else str(error)
    return next(iter(words.splitlines()), type(error).__name__)


def _check_file(path: Path | None, create: bool) -> None:
    if path is None or path.exists():
        return
    if not create:
        raise UsageError(f"{path}: no such database; name another by --database or STILLWATCH_DATABASE")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # it says who was suspected of what
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name another file by --database or STILLWATCH_DATABASE") from None


def _engine(url: Any) -> Engine:
    place, options = urls.connection(url)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(place, connect_args=options, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    isolation = "READ COMMITTED"  # a writer that waited for the lock must see what the one before it wrote
    return create_engine(
        place, connect_args=options, hide_parameters=True, pool_pre_ping=True, isolation_level=isolation
    )


def _prepare_sqlite(raw: Any, _: object) -> None:
    raw.isolation_level = None  # transactions begin where we say, not where the driver guesses
    raw.execute("PRAGMA synchronous=FULL")  # what was acknowledged outlives a power cut
    raw.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
