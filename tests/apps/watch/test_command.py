"""The command: what it prints where, how it ends, and what it refuses."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.apps import cli
from stillwatch.apps.watch import command, loop
from stillwatch.apps.watch.windows import SECOND
from stillwatch.model import UsageError
from tests.apps.watch import child
from tests.apps.watch.small import append, lines, row


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stillwatch", "watch", *map(str, words)])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code  # type: ignore[assignment]
        said = capsys.readouterr()
        return status, said.out, said.err

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.signal, "SIGPIPE", signal.SIGUSR1, raising=False)
    return call


PLACES = ("--out", "out", "--state", "state")


def test_once_says_a_line_for_each_window(run: Any) -> None:
    append(Path("log/a.ndjson"), lines([row(0, 5), row(1, 7), row(2, 65)]) + b"nonsense\n")
    status, out, err = run("log", *PLACES, "--once")
    assert (status, out) == (0, "")
    first, second = err.splitlines()
    assert first.startswith(
        "2026-03-01T00:00:00Z to 2026-03-01T01:00:00Z: 2 exchanges, 1 rejected; 0 campaigns, 0 new, 0 grown; "
    )
    assert second.startswith("2026-03-01T01:00:00Z to 2026-03-01T02:00:00Z: 1 exchanges; ")
    assert first.endswith(" days after the window's end")
    assert run("log", *PLACES, "--once") == (0, "", "")


def test_json_is_one_line_for_each_window(run: Any) -> None:
    append(Path("log/a.ndjson"), lines([row(0, 5)]))
    status, out, err = run("log", *PLACES, "--once", "--json", "--every", "1d")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert told.pop("delay_seconds") > 0
    assert told == {
        "since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z", "exchanges": 1, "late": 0, "rejected": 0,
        "campaigns": 0, "new": 0, "grown": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("log", *PLACES, "--every", "soon"), "--every soon: expected a length of time"),
        (("log", *PLACES, "--poll", "0s"), "--poll 0s: expected a length of time"),
        (("log", *PLACES, "--table", "log"), "--table needs --by"),
        (("log", "other", *PLACES, "--table", "log", "--by", "id"), "--table goes with one source"),
        (("log", "--out", "log/out", "--state", "state"), "lies in log, which is watched"),
        (("log", "--out", "out", "--state", "log/state"), "lies in log, which is watched"),
        (("log", *PLACES, "--field", "a=b"), "there is no column 'b'"),
        (("log", "--out", "log", "--state", "state"), "holds 'a.ndjson' and no run"),
        (("log", "--out", "out", "--state", "log"), "lies in log"),
        (("kafka://host", *PLACES), "expected kafka://HOST:PORT/TOPIC"),
    ],
)
def test_misuse_is_told_before_anything_is_done(run: Any, words: tuple[str, ...], said: str) -> None:
    append(Path("log/a.ndjson"), lines([row(0, 5)]))
    status, out, err = run(*words, "--once")
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert not Path("out").exists()


def test_once_ends_with_an_error_when_a_source_does_not_answer(run: Any) -> None:
    status, _, err = run("log.duckdb", *PLACES, "--once", "--table", "log", "--by", "id")
    assert (status, err) == (3, "error: log.duckdb: there is no such file\n")
    status, _, err = run("log", *PLACES, "--once")
    assert (status, err) == (3, "error: log: there is no such file or folder\n")


def test_other_names_are_mapped_wherever_they_appear(run: Any) -> None:
    theirs = [{"who" if name == "account_id" else name: value for name, value in row(i, i).items()} for i in range(3)]
    append(Path("log/a.ndjson"), lines(theirs))
    append(Path("log/b.ndjson"), lines([row(7, 9)]))
    status, out, err = run("log", *PLACES, "--once", "--json", "--field", "who=account_id")
    assert (status, err) == (0, "")
    assert json.loads(out)["exchanges"] == 4
    append(Path("log/a.ndjson"), lines([row(8, 70, who="b1", account_id="other")]))
    append(Path("log/b.ndjson"), lines([row(9, 71)]) + b"nonsense\n")
    status, out, err = run("log", *PLACES, "--once", "--json", "--field", "who=account_id")
    assert (json.loads(out)["exchanges"], json.loads(out)["rejected"]) == (2, 1)
    accounts = pq.read_table("out/verdicts.parquet")["account_id"].to_pylist()
    assert "b1" in accounts
    assert "other" not in accounts


def test_a_length_of_time_has_a_unit() -> None:
    assert [command.microseconds("--every", each) // SECOND for each in ("90s", "15m", "2h", "1d")] == [
        90, 900, 7_200, 86_400,
    ]  # fmt: skip
    with pytest.raises(UsageError):
        command.microseconds("--every", "60")


def start(tmp_path: Path, *words: str) -> Any:
    """The command in a process of its own, over tmp_path/log."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.apps.watch.child"])
    places = ["--out", str(tmp_path / "out"), "--state", str(tmp_path / "state"), "--poll", "1s"]
    process = context.Process(
        target=child.run_command, args=(["watch", str(tmp_path / "log"), *places, *words], tmp_path / "said")
    )
    process.start()
    return process


def wait_for(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not met() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert met()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_watcher_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    append(tmp_path / "log" / "a.ndjson", lines([row(0, 5)]))
    process = start(tmp_path)
    wait_for((tmp_path / "out").exists)
    os.kill(process.pid or 0, number)
    process.join(60)
    assert process.exitcode == 0
    assert "error" not in (tmp_path / "said").read_text()
    assert list((tmp_path / "state" / "scratch").iterdir()) == []


@pytest.mark.slow
def test_verdicts_stand_within_a_minute_of_the_end_of_a_window(tmp_path: Path) -> None:
    said = tmp_path / "said"
    (tmp_path / "log").mkdir()
    process = start(tmp_path, "--every", "3s", "--lateness", "1s", "--json")
    try:
        for number in range(8):
            moment = dt.datetime.now(dt.UTC).isoformat()
            append(tmp_path / "log" / "a.ndjson", lines([row(number, 0, ts=moment)]))
            time.sleep(0.5)
        wait_for(said.exists)
        wait_for(lambda: sum(json.loads(each)["exchanges"] for each in said.read_text().splitlines()) == 8)
    finally:
        process.terminate()
        process.join(60)
    told = [json.loads(each) for each in said.read_text().splitlines()]
    assert len(told) >= 2
    assert all(1 <= each["delay_seconds"] <= 60 for each in told)


def test_whatever_comes_of_being_interrupted_is_the_end() -> None:
    def interrupted() -> None:
        with loop.stopping():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except loop.Stopped:
                raise ValueError("an engine in the middle of something") from None

    interrupted()

    def broken() -> None:
        with loop.stopping():
            raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        broken()
