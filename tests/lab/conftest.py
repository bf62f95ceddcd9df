from pathlib import Path

import pytest

from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic

SMALL = Request(exchanges=14_000, accounts=1_000, seed=3)


@pytest.fixture(scope="session")
def traffic_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("traffic")
    write_traffic(compose(SMALL), out)
    return out
