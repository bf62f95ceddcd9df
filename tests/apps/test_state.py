"""A window folds into what was seen before, and the answer is that of everything read at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic

WINDOWS = 4


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traffic")
    write_traffic(compose(Request(24_000, 900, seed=31, split="tuning", prompts="own")), folder)
    return folder


def windows_of(log: pa.Table) -> list[pa.Table]:
    first, last = pc.min(log["ts"]).as_py(), pc.max(log["ts"]).as_py()
    ends = [first + (last - first) * number / WINDOWS for number in range(WINDOWS + 1)]
    starts = [pc.greater_equal(log["ts"], pa.scalar(end, log["ts"].type)) for end in ends[1:-1]]
    number = sum((start.to_numpy().astype(int) for start in starts), start=np.zeros(log.num_rows, int))
    return [log.filter(pa.array(number == each)) for each in range(WINDOWS)]


def others(traffic: Path) -> dict[str, Any]:
    return {"accounts": str(traffic / "accounts.parquet"), "licences": str(traffic / "licences.csv")}


def folded(windows: list[pa.Table], traffic: Path, state: Path) -> sw.Run:
    for window in windows:
        run = sw.detect(window, **others(traffic), settings=sw.Settings(state=state))
    return run


def tables(run: sw.Run) -> dict[str, Any]:
    return {name: getattr(run, name).to_pylist() for name in ("verdicts", "campaigns", "evidence", "flagged")}


@pytest.mark.slow
def test_windows_folded_one_by_one_are_judged_as_one_log_to_the_last_digit(traffic: Path, tmp_path: Path) -> None:
    """With keys made elsewhere nothing depends on what was known of the text when a window came."""
    log = pq.read_table(traffic / "exchanges.parquet")
    keys = pc.utf8_slice_codeunits(log["prompt"], 0, 24)
    log = log.append_column("template_key", keys).append_column("fill_hash", log["prompt"]).drop_columns(["prompt"])
    log = log.drop_columns(["system_prompt"])
    run = folded(windows_of(log), traffic, tmp_path / "state")
    assert tables(run) == tables(sw.detect(log, **others(traffic)))
    assert run.manifest["exchanges"] == log.num_rows
    assert len(run.manifest["windows"]) == WINDOWS


@pytest.mark.slow
def test_with_text_the_same_accounts_are_accused(traffic: Path, tmp_path: Path) -> None:
    log = pq.read_table(traffic / "exchanges.parquet")
    run, whole = folded(windows_of(log), traffic, tmp_path / "state"), sw.detect(log, **others(traffic))
    graver = {"suspect", "distillation"}
    accused = [
        {row["account_id"] for row in each.verdicts.to_pylist() if row["verdict"] in graver} for each in (run, whole)
    ]
    assert len(accused[1]) > 100
    assert len(accused[0] ^ accused[1]) <= 0.02 * len(accused[1])


@pytest.mark.slow
def test_many_small_windows_become_one_file_and_nothing_changes(
    traffic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window a minute would else leave more files than can be opened."""
    log = pq.read_table(traffic / "exchanges.parquet")
    windows = [log.slice(400 * number, 400) for number in range(5)]
    apart = folded(windows, traffic, tmp_path / "apart")
    with monkeypatch.context() as patched:
        patched.setattr("stillwatch.apps.state.MANY_FILES", 2)
        joined = folded(windows, traffic, tmp_path / "joined")
    assert len(list((tmp_path / "apart").rglob("window-*.parquet"))) == 5
    assert len(list((tmp_path / "joined").rglob("window-*.parquet"))) == 2
    assert tables(joined) == tables(apart)
    assert joined.manifest["windows"] == apart.manifest["windows"]
    again = folded([windows[4]], traffic, tmp_path / "joined")
    assert again.manifest["windows"][-1] == {"exchanges": 0, "repeated": 400}


@pytest.mark.slow
def test_a_state_of_the_first_format_is_read(traffic: Path, tmp_path: Path) -> None:
    window = pq.read_table(traffic / "exchanges.parquet").slice(0, 900)
    folded([window.slice(0, 400), window.slice(400, 200)], traffic, tmp_path / "state")
    about = next((tmp_path / "state").rglob("state.json"))
    held = json.loads(about.read_text())
    assert held.pop("files") == [0, 1]
    about.write_text(json.dumps(held | {"format": 1}))
    run = folded([window.slice(600)], traffic, tmp_path / "state")
    assert sum(run.verdicts["exchanges"].to_pylist()) == 900


def test_what_a_window_repeats_is_counted_once_and_said(traffic: Path, tmp_path: Path) -> None:
    window = windows_of(pq.read_table(traffic / "exchanges.parquet"))[0].slice(0, 900)
    run = folded([window.slice(0, 600), window.slice(400)], traffic, tmp_path / "state")
    assert run.manifest["windows"] == [{"exchanges": 600, "repeated": 0}, {"exchanges": 300, "repeated": 200}]
    assert sum(run.verdicts["exchanges"].to_pylist()) == 900


@pytest.mark.slow
def test_a_fold_that_fails_leaves_the_state_as_it_was(
    traffic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = windows_of(pq.read_table(traffic / "exchanges.parquet"))[0].slice(0, 900)
    state = tmp_path / "state"
    folded([window.slice(0, 300)], traffic, state)

    def fail(_: Path) -> None:
        raise RuntimeError("disk")

    with monkeypatch.context() as patched:
        patched.setattr("stillwatch.apps.state.settle", fail)
        with pytest.raises(RuntimeError, match="disk"):
            folded([window.slice(300, 300)], traffic, state)
    run = folded([window.slice(300, 300)], traffic, state)
    assert [each["exchanges"] for each in run.manifest["windows"]] == [300, 300]


def test_no_text_is_in_a_state(traffic: Path, tmp_path: Path) -> None:
    window = pq.read_table(traffic / "exchanges.parquet").slice(0, 300)
    state = tmp_path / "state"
    folded([window], traffic, state)
    words = [prompt.encode()[:40] for prompt in window["prompt"].to_pylist()[:50]]
    files = [path for path in state.rglob("*") if path.is_file()]
    for path in files:
        if path.suffix == ".parquet":
            assert not {"prompt", "system_prompt", "response"} & set(pq.read_schema(path).names)
        held = path.read_bytes()
        assert not any(word in held for word in words)


def test_a_folder_of_something_else_and_another_secret_are_refused(traffic: Path, tmp_path: Path) -> None:
    window = pq.read_table(traffic / "exchanges.parquet").slice(0, 300)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letters.txt").write_text("dear")
    with pytest.raises(sw.UsageError, match=r"letters\.txt"):
        folded([window], traffic, tmp_path / "other")
    folded([window.slice(0, 200)], traffic, tmp_path / "state")
    with pytest.raises(sw.UsageError, match="key"):
        sw.detect(window, settings=sw.Settings(state=tmp_path / "state", secret=b"another"))
    about = next((tmp_path / "state").rglob("state.json"))
    about.write_text(json.dumps({"format": 99}))
    with pytest.raises(sw.InputRefused, match="no state of this version"):
        folded([window], traffic, tmp_path / "state")
