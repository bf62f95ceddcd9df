"""Windows that are read once conclude as folding them by hand does, and a step taken again gives the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.apps.output import write_run
from stillwatch.apps.watch.concluding import Step, way_to_conclude
from tests.apps.test_state import tables, windows_of
from tests.apps.test_state import traffic as traffic  # a fixture


@pytest.mark.slow
def test_windows_that_are_read_once_conclude_as_folding_them_does(traffic: Path, tmp_path: Path) -> None:
    log = pq.read_table(traffic / "exchanges.parquet").slice(0, 6_000)
    conclude = way_to_conclude(str(traffic / "accounts.parquet"), None, sw.Settings(), fold=True)
    before: Path | None = None
    every: list[Path] = []
    for number, window in enumerate(windows_of(log)[:2]):
        every.append(tmp_path / f"segment-{number}.parquet")
        pq.write_table(window, every[-1])
        for _ in range(2):  # the first try is killed
            here = tmp_path / f"step-{number}"
            shutil.rmtree(here, ignore_errors=True)
            here.mkdir()
            run = conclude(Step(every[-1], tuple(every), before, here))
        write_run(run, here / "run")
        before = here
    previous: Path | None = None
    for path in every:
        by_hand = sw.Settings(state=tmp_path / "state", previous=previous)
        expected = sw.detect(str(path), str(traffic / "accounts.parquet"), settings=by_hand)
        previous = write_run(expected, tmp_path / "run")
    assert run.manifest["windows"] == expected.manifest["windows"]
    assert tables(run)["verdicts"] == tables(expected)["verdicts"]
