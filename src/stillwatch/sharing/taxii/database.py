"""The database: opened, its tables made where they are missing, and one writer at a time.

Readers page by sequence number. So numbers must become visible in their order: who writes holds the clock's row from
before it takes numbers until its transaction is over, on SQLite by holding the whole database.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError, SQLAlchemyError

from stillwatch.model import MissingDependency, UsageError
from stillwatch.sharing.taxii import tables
from stillwatch.sharing.taxii.times import now

AT_ONCE = 1_000  # rows in one statement of PostgreSQL, which takes 65,535 values
PATIENCE = 30  # seconds that a writer waits for another on SQLite
_WRITING = "stillwatch_writing"
_POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 8, "hide_parameters": True}  # errors quote no object


class Database:
    """A pool of connections. Any number of processes may share one database."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(**{_WRITING: True})

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One consistent view."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that either happens as a whole or not at all."""
        with self._writer.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def open_database(place: str) -> Database:
    """Open a URL, or a file of SQLite, and make what is missing there."""
    url = _url(place)
    shown = url.render_as_string(hide_password=True)
    try:
        engine = open_engine(place)
        _make_tables(engine)
    except ModuleNotFoundError as error:
        raise MissingDependency(f"{shown} needs {error.name}: pip install 'stillwatch[sharing]'") from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise UsageError(f"database {shown} cannot be opened ({reason}); check the URL and the server") from None
    return Database(engine)


def next_numbers(connection: sa.Connection, count: int) -> int:
    """Reserve so many consecutive sequence numbers and return the first. Held until the transaction is over.

    A number is the time in microseconds, or the one after the last where the clock has not moved on or went back.
    """
    last = connection.execute(sa.select(tables.clock.c.last).with_for_update()).scalar_one()
    first = max(last + 1, now())
    connection.execute(sa.update(tables.clock).values(last=first + count - 1))
    return int(first)


def insert_many(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    """Insert rows by what the driver does fastest: one prepared statement, or one statement with all of them."""
    sqlite = connection.dialect.name == "sqlite"
    head = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES "
    group = "(" + ", ".join(["?" if sqlite else "%s"] * len(names)) + ")"
    if sqlite:
        connection.exec_driver_sql(head + group, rows)
        return
    for at in range(0, len(rows), AT_ONCE):
        some = rows[at : at + AT_ONCE]
        connection.exec_driver_sql(head + ", ".join([group] * len(some)), tuple(chain.from_iterable(some)))


def _url(place: str) -> sa.URL:
    if "://" not in place:
        return sa.URL.create("sqlite", database=str(Path(place)))
    try:
        url = sa.make_url(place)
    except ArgumentError:
        raise UsageError("database: not a URL; say postgresql://HOST/NAME or the path of a file") from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+pg8000")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise UsageError(f"database: {url.drivername} is not served; say postgresql:// or the path of a file")
    if url.get_backend_name() == "postgresql" and url.password is None and "PGPASSWORD" in os.environ:
        url = url.set(password=os.environ["PGPASSWORD"])
    return url


def open_engine(place: str) -> sa.Engine:
    """A pool of connections to a URL or a file, whatever is there."""
    url = _url(place)
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url, pool_pre_ping=True, **_POOL)
    engine = sa.create_engine(url, connect_args={"timeout": PATIENCE}, **_POOL)
    sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction of its own; `_begin_sqlite` does
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536", "mmap_size=268435456"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_tables(engine: sa.Engine) -> None:
    found = _version(engine)
    if found is None:
        _lay_out(engine)
        found = _version(engine)
    if found != tables.VERSION:
        raise UsageError(
            f"database: its tables are of layout {found}, and this version of stillwatch has {tables.VERSION}; "
            "use the version that made them, or an empty database"
        )


def _version(engine: sa.Engine) -> int | None:
    try:
        with engine.connect() as connection:
            return connection.execute(sa.select(tables.schema.c.version)).scalar()
    except (OperationalError, ProgrammingError, SQLAlchemyError) as error:
        if not sa.inspect(engine).has_table(tables.schema.name):
            return None
        raise error


def _lay_out(engine: sa.Engine) -> None:
    """Make the tables; of several processes that start at once one does, and the others find them."""
    with engine.execution_options(**{_WRITING: True}).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(741108)"))
        if sa.inspect(connection).has_table(tables.schema.name):
            return
        tables.metadata.create_all(connection)
        connection.execute(tables.clock.insert().values(one=1, last=0))
        connection.execute(tables.schema.insert().values(version=tables.VERSION))
