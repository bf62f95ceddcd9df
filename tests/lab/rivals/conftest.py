import pytest

from stillwatch.lab.rivals.base import Log, Tuned
from stillwatch.lab.rivals.train import train
from stillwatch.lab.truth import Truth

from .small_logs import people, ring, write_log


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Log, Truth]:
    log = write_log(tmp_path_factory.mktemp("tuning"), people(60) + ring(20, 30))
    return log, Truth({f"r{one:03d}": "A" for one in range(20)}, {}, {}, {})


@pytest.fixture(scope="session")
def tuned(labelled: tuple[Log, Truth]) -> Tuned:
    return train(*labelled)
