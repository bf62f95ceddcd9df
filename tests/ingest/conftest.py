from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.ingest.engine import Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine for all tests of a file: it uses no name twice, so they do not meet in it."""
    with Engine(tmp_path_factory.mktemp("engine")) as made:
        yield made


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder
