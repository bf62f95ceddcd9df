"""A kill at any moment neither loses nor doubles an exchange, and changes nothing in what is concluded afterwards."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from tests.apps.watch import child
from tests.apps.watch.small import Desk, append, lines, row, same_bytes

KILLS = 24


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.apps.watch.child"])
    return context


def begin(folder: Path) -> Desk:
    """Two windows to close, with a bad line, one that comes late, half a line at the end, and an open window."""
    desk = Desk(folder)
    append(desk.log / "a.ndjson", lines([row(i, 10 * i) for i in range(6)]) + b"nonsense\n")
    append(desk.log / "b.ndjson", lines([row(6, 65), row(7, 30), row(8, 130)]) + b'{"exchange_id": "e0')
    return desk


@pytest.mark.slow
def test_a_kill_before_any_step_on_the_disk_changes_nothing(server: ForkServerContext, tmp_path: Path) -> None:
    whole = begin(tmp_path / "desk")
    whole.sweep(125)
    segments = whole.segments()
    shutil.move(whole.out, tmp_path / "whole")
    for number in range(1, 100):
        shutil.rmtree(tmp_path / "desk")
        desk = begin(tmp_path / "desk")
        process = server.Process(target=child.sweep_and_die, args=(desk.folder, 125.0, number))
        process.start()
        process.join()
        assert process.exitcode in (0, 9)
        if process.exitcode == 0:
            break
        desk.sweep(125)
        assert desk.segments() == segments, number
        assert same_bytes(desk.out, tmp_path / "whole"), number
    assert number > 25


@pytest.mark.slow
def test_a_watcher_killed_at_random_ends_where_one_that_was_not_does(
    server: ForkServerContext, small_traffic: Path, tmp_path: Path
) -> None:
    """SIGKILL on the real command, while another process writes the log; then against a batch, and a calm watcher."""
    chance = random.Random(20260301)
    table = pq.read_table(small_traffic / "exchanges.parquet").sort_by("ts").slice(0, 1_500)
    rows = [each | {"ts": each["ts"].isoformat()} for each in table.to_pylist()]
    log, out, state = tmp_path / "log", tmp_path / "out", tmp_path / "state"
    log.mkdir()
    data = {f"{name}.ndjson": lines(rows[name::3]) for name in range(3)}
    parts = [(name, text[i : i + 9_973]) for name, text in data.items() for i in range(0, len(text), 9_973)]
    parts.sort(key=lambda part: chance.random())
    parts = [(name, b"") for name, _ in parts]
    left = dict(data)
    for index, (name, _) in enumerate(parts):  # pieces in the order of their files, the files mixed
        parts[index], left[name] = (name, left[name][:9_973]), left[name][9_973:]
    given = ["--accounts", str(small_traffic / "accounts.parquet"), "--licences", str(small_traffic / "licences.csv")]
    words = ["watch", str(log), *given, "--every", "12h", "--poll", "1s", "--out", str(out), "--state", str(state)]
    writer = server.Process(target=child.write_log, args=(log, parts, 15 / len(parts)))
    writer.start()
    kills = 0
    while kills < KILLS or (kills < 3 * KILLS and concluded(state) < 2):
        kills += 1
        stood = changed(state)
        process = server.Process(target=child.run_command, args=(words, tmp_path / "said"))
        process.start()
        time.sleep(chance.uniform(0.2, 1.0))
        if kills % 2:  # soon after it got one step further: on a busy machine it would else not get far in its life
            deadline = time.monotonic() + (60 if concluded(state) < 2 else 1)
            while changed(state) == stood and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
        process.join()
        assert process.exitcode == -9, (tmp_path / "said").read_text()
    writer.join()
    assert concluded(state) >= 2
    for folder, where in ((state, out), (tmp_path / "calm-state", tmp_path / "calm")):
        again = ["watch", str(log), *given, "--every", "12h", "--once", "--out", str(where), "--state", str(folder)]
        process = server.Process(target=child.run_command, args=(again, tmp_path / "said"))
        process.start()
        process.join()
        assert process.exitcode in (0, 1), (tmp_path / "said").read_text()
    held = json.loads((state / "state.json").read_text())
    assert held["spool"] == []
    segments = [pq.read_table(path)["exchange_id"].to_pylist() for path in sorted((state / "segments").iterdir())]
    assert sorted(name for each in segments for name in each) == sorted(each["exchange_id"] for each in rows)
    batch = sw.detect(log, *given[1::2])
    assert unnamed(sw.read_run(out)) == unnamed(sw.read_run(tmp_path / "calm")) == unnamed(batch)


def concluded(state: Path) -> int:
    """How many segments were concluded so far."""
    path = state / "state.json"
    return int(json.loads(path.read_text())["concluded"]) if path.exists() else 0


def changed(state: Path) -> int:
    """When something was committed last, in ns."""
    path = state / "state.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def unnamed(run: sw.Run) -> list[object]:
    """Everything that a run concludes but the names of campaigns and what they were called when first seen."""
    names = {
        story.campaign.campaign_id: str(
            (sorted(story.campaign.members), story.campaign.exchanges, story.campaign.models)
        )
        for story in run.stories
    }

    def plain(row: dict[str, object]) -> dict[str, object]:
        known = {key: names.get(str(row[key]), row[key]) for key in ("campaign_id", "subject_id") if key in row}
        return {key: value for key, value in (row | known).items() if key != "status"}

    tables = (run.verdicts, run.campaigns, run.evidence, run.flagged)
    return [sorted((plain(row) for row in table.to_pylist()), key=repr) for table in tables]
