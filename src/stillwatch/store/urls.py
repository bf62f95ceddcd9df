"""Where the database is: a file, `sqlite:///FILE`, or `postgresql://USER@HOST/NAME`, with its password elsewhere."""

from __future__ import annotations

import importlib.util
import os
import ssl
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from stillwatch.model import MissingDependency, UsageError

EXPECTED = "give a file, or a URL such as sqlite:///control.sqlite or postgresql://stillwatch@db.example.com/stillwatch"
DRIVERS = {"sqlite": "pysqlite", "postgresql": "pg8000"}
WAITS = 30  # seconds for a lock or a connection before it is an error
SSL_MODES = ("disable", "require", "verify-ca", "verify-full")


def read_url(text: str) -> URL:
    """Return the URL of a database, with the driver that is used. Raises UsageError, never with a password."""
    if "://" not in text:
        if not text:
            raise UsageError(f"no database was named; {EXPECTED}")
        return URL.create("sqlite+pysqlite", database=text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UsageError(f"the database's URL cannot be read; {EXPECTED}") from None
    backend, _, driver = url.drivername.partition("+")
    if backend not in DRIVERS:
        raise UsageError(f"a database of {backend} is not supported; {EXPECTED}")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError("a database in memory would forget the ledger; name a file")
    return url.set(drivername=f"{backend}+{driver or DRIVERS[backend]}")


def file_of(url: URL) -> Path | None:
    """Return the file of an SQLite database."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def named(url: URL) -> str:
    """Return what to call a database in print: no password."""
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


def connection(url: URL) -> tuple[URL, dict[str, Any]]:
    """Return the URL to connect to, and what the driver needs beside it."""
    if url.get_backend_name() == "sqlite":
        return url, {"timeout": WAITS, "check_same_thread": False}
    _check_driver(url)
    if url.get_driver_name() != "pg8000":
        return url, {}  # libpq reads the rest itself
    query = dict(url.query)
    mode, root = query.pop("sslmode", os.environ.get("PGSSLMODE", "disable")), query.pop("sslrootcert", None)
    if not isinstance(mode, str) or isinstance(root, tuple) or mode not in SSL_MODES:
        raise UsageError(f"sslmode={mode}: expected one of {', '.join(SSL_MODES)}")
    if query:
        raise UsageError(f"{sorted(query)[0]} is no option of a PostgreSQL URL here; sslmode and sslrootcert are")
    password = url.password or os.environ.get("PGPASSWORD")
    options: dict[str, Any] = {"timeout": WAITS, "application_name": "stillwatch", "ssl_context": _context(mode, root)}
    return url.set(password=password, query={}), options


def _context(mode: str, root: str | None) -> ssl.SSLContext | None:
    if mode == "disable":
        return None
    context = ssl.create_default_context(cafile=root)
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


def _check_driver(url: URL) -> None:
    name = url.get_driver_name()
    if importlib.util.find_spec(name) is None:
        raise MissingDependency(f"a PostgreSQL database needs {name}: pip install 'stillwatch[gateway]'")
