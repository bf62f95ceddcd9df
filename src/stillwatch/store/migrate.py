"""Brings a database to this version's tables, once, whoever opens it first."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from stillwatch.model import InputRefused
from stillwatch.store.migrations import HEAD, VERSION_TABLE

LOCK = 0x7374696C6C  # any number that others who share the server will not take
TRIES, PAUSE = 300, 0.1  # seconds


def migrate(engine: Engine, to: str = HEAD) -> None:
    """Run the steps that are missing, all or none, while nobody else does. Raises InputRefused for a newer database."""
    with engine.connect() as connection:
        found = _step(connection)
    if found == to:
        return
    if engine.dialect.name == "sqlite":
        _log_ahead(engine)
    with engine.connect() as connection, connection.execution_options(writes=True).begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        found = _step(connection)  # again: another process may have been faster
        if found is not None and found > to:
            raise InputRefused(f"the database is of a newer stillwatch (step {found}, this one knows {to}); upgrade")
        if found != to:
            _run_steps(connection, to)


def _step(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _run_steps(connection: Connection, to: str) -> None:
    from alembic import command  # here: only a database that is behind needs it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _log_ahead(engine: Engine) -> None:
    """Let readers and the writer of an SQLite file go on side by side; the file remembers it."""
    for attempt in range(TRIES):
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode=WAL")
            return
        except Exception as error:  # SQLite does not wait for this lock, whatever it is told
            if attempt == TRIES - 1 or "locked" not in str(error):
                raise OperationalError("PRAGMA journal_mode=WAL", None, error) from None
            time.sleep(PAUSE)
        finally:
            raw.close()
