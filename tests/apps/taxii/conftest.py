"""One running server for the tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apps.taxii.running import Running, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of the module's own."""
    with running(tmp_path_factory.mktemp("taxii")) as started:
        yield started
