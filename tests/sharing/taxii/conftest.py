"""A server without sockets, on SQLite or on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sharing.taxii.made import Seat, service


@pytest.fixture
def seats(tmp_path: Path) -> Iterator[dict[str, Seat]]:
    """Each partner who may do anything in `hub/inbox`, at that collection."""
    with service(tmp_path) as (taxii, tokens):
        yield {name: Seat(taxii, tokens[name]) for name in ("north", "south")}


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Seat]]:
    """The same on each database that is served."""
    place = "taxii.db" if request.param == "sqlite" else _empty_database(request.getfixturevalue("postgres"))
    with service(tmp_path, database=place) as (taxii, tokens):
        yield {name: Seat(taxii, tokens[name]) for name in ("north", "south")}


def _empty_database(url: str) -> str:
    """A database of its own on the test's server."""
    import sqlalchemy as sa

    from stillwatch.sharing.taxii.database import open_engine

    name = f"taxii_{uuid.uuid4().hex}"
    engine = open_engine(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.rpartition("/")[0] + f"/{name}"
