"""The hours of a replay are windows of the watcher, and say what a batch over the same rows says."""

from __future__ import annotations

from pathlib import Path

import pytest

import stillwatch as sw
from stillwatch.lab.evaluate.bench import named
from stillwatch.lab.evaluate.replay import Conclusion
from stillwatch.lab.evaluate.tables import HOUR, load, until
from stillwatch.lab.evaluate.watched import Watched


def plain(found: list[Conclusion]) -> list[tuple[str, list[str]]]:
    return sorted((one.verdict, sorted(one.accounts)) for one in found)


@pytest.mark.slow
def test_each_hour_says_what_a_batch_up_to_it_says(small_traffic: Path, tmp_path: Path) -> None:
    tables = load(small_traffic)
    start = tables.start // HOUR * HOUR
    watched = Watched(tmp_path)
    ends = [start + hour * HOUR for hour in (48, 120, 72)]  # 72 goes on from 48, as a halving does
    for end in ends:
        window = until(tables, end)
        batch = sw.detect(window.exchanges, window.accounts, window.licences)
        found = watched(window, end)
        assert plain(found) == plain(named(batch))
        assert found
    assert len(watched.delays) == 3
    assert all(0 < delay < 600 for delay in watched.delays)
