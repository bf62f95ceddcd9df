"""Live windows and one batch give the same verdicts."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.apps.watch.concluding import Step, over_every_segment
from stillwatch.apps.watch.files import Files
from stillwatch.apps.watch.outages import Outages
from stillwatch.apps.watch.sources import known_columns
from stillwatch.apps.watch.state import Store
from stillwatch.apps.watch.watcher import Plan, Watcher
from stillwatch.apps.watch.windows import HOUR, SECOND, Grid
from tests.apps.watch.small import append, lines

TABLES = ("verdicts", "campaigns", "evidence", "flagged")


@pytest.mark.slow
def test_live_windows_and_one_batch_give_the_same_verdicts(small_traffic: Path, tmp_path: Path) -> None:
    rows = pq.read_table(small_traffic / "exchanges.parquet").sort_by("ts").slice(0, 5_000).to_pylist()
    accounts, licences = small_traffic / "accounts.parquet", small_traffic / "licences.csv"
    store, log, before = Store(tmp_path / "state"), tmp_path / "log", tmp_path / "before"
    again = over_every_segment(accounts, licences, sw.Settings())

    def conclude(step: Step) -> sw.Run:
        if step.before is not None:
            shutil.copytree(step.before / "run", before, dirs_exist_ok=True)
        return again(step)

    log.mkdir()
    source = Files(str(log), store.scratch, known_columns({}))
    plan = Plan((source,), conclude, tmp_path / "out", grid=Grid(48 * HOUR, SECOND))
    found = []
    for part in range(0, len(rows), 1_250):
        some = rows[part : part + 1_250]
        append(log / f"{part % 2}.ndjson", lines([each | {"ts": each["ts"].isoformat()} for each in some]))
        now = int(some[-1]["ts"].timestamp() * SECOND) + (0 if part < 3_750 else 72 * HOUR)
        watcher = Watcher(plan, store, lambda now=now: now)  # type: ignore[misc]
        found += list(watcher.sweep(now, Outages(SECOND)))
    assert len(found) >= 3
    live = sw.read_run(tmp_path / "out")
    batch = sw.detect(log, accounts, licences, sw.Settings(previous=before))
    for name in TABLES:
        assert getattr(live, name).equals(getattr(batch, name)), name
    assert [dataclasses.asdict(one) for one in live.stories] == [dataclasses.asdict(one) for one in batch.stories]
    assert live.campaigns.num_rows > 3
    apart = ("inputs", "timings", "previous_run")  # segments, not files; how long it took; a folder's name
    same = {name: value for name, value in live.manifest.items() if name not in apart}
    assert same == {name: value for name, value in batch.manifest.items() if name not in apart}
