"""What many tests need: a small log with planted campaigns, composed once."""

from __future__ import annotations

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
