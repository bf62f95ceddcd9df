"""A database of each kind, empty, for one test."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from stillwatch.store.database import Store, open_store
from stillwatch.store.urls import connection, read_url

NUMBERS = itertools.count(1)
SECRET = b"secret of the deployment"


def run_on_server(server: str, statement: str) -> None:
    url, options = connection(read_url(server))
    engine = create_engine(url, connect_args=options, isolation_level="AUTOCOMMIT")
    with engine.connect() as connected:
        connected.execute(text(statement))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """A kind of database."""
    return str(request.param)


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'control.sqlite'}"
        return
    server, name = request.getfixturevalue("postgres"), f"control_{next(NUMBERS)}"
    run_on_server(server, f"CREATE DATABASE {name}")
    yield server.rsplit("/", 1)[0] + f"/{name}"
    run_on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def server_template(postgres: str) -> str:
    """A PostgreSQL database with tables, to make others from: quicker than to migrate each."""
    run_on_server(postgres, "CREATE DATABASE control_template")
    open_store(postgres.rsplit("/", 1)[0] + "/control_template").close()
    return "control_template"


@pytest.fixture(scope="session")
def file_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with tables, to be copied."""
    path = tmp_path_factory.mktemp("control") / "control.sqlite"
    open_store(str(path)).close()
    return path


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """An open database."""
    if kind == "sqlite":
        yield request.getfixturevalue("file_store")
        return
    server, name = request.getfixturevalue("postgres"), f"control_{next(NUMBERS)}"
    run_on_server(server, f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('server_template')}")
    with open_store(server.rsplit("/", 1)[0] + f"/{name}", SECRET) as opened:
        yield opened
    run_on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def file_store(file_template: Path, tmp_path: Path) -> Iterator[Store]:
    """An open database in a file, where the kind of database makes no difference."""
    path = tmp_path / "control.sqlite"
    shutil.copyfile(file_template, path)
    with open_store(str(path), SECRET) as opened:
        yield opened
