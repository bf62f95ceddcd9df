"""A database of each kind, empty, for one test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from stillwatch.store.database import Store, open_store
from stillwatch.store.urls import connection, read_url

NUMBERS = itertools.count(1)
SECRET = b"secret of the deployment"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'control.sqlite'}"
        return
    server = request.getfixturevalue("postgres")
    name = f"control_{next(NUMBERS)}"
    run_on_server(server, f"CREATE DATABASE {name}")
    yield server.rsplit("/", 1)[0] + f"/{name}"
    run_on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


def run_on_server(server: str, statement: str) -> None:
    url, options = connection(read_url(server))
    engine = create_engine(url, connect_args=options, isolation_level="AUTOCOMMIT")
    with engine.connect() as connected:
        connected.execute(text(statement))
    engine.dispose()


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """An open database."""
    with open_store(database, SECRET) as opened:
        yield opened


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    """An open database in a file, where the kind of database makes no difference."""
    with open_store(f"sqlite:///{tmp_path / 'control.sqlite'}", SECRET) as opened:
        yield opened
