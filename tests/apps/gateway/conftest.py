from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.actions.decision import ALLOWED
from tests.apps.gateway.running import Stack, stack


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    with stack(folder) as made:
        yield made


@pytest.fixture
def gateway(shared: Stack) -> Stack:
    """One gateway a module, with nothing remembered yet."""
    parts = shared.parts
    parts.decision, parts.fails = ALLOWED, False
    for each in (parts.arrivals, parts.settled, parts.kept, parts.seen):
        each.clear()
    shared.mock.seen.__init__()  # type: ignore[misc]
    return shared
