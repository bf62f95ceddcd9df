"""Windows that close, are concluded and published, whatever happens in between."""

from __future__ import annotations

import dataclasses
import errno
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.apps.watch import closing, disk, watcher
from stillwatch.apps.watch.concluding import Step
from stillwatch.apps.watch.loop import Surroundings, forever, once
from stillwatch.apps.watch.state import Store
from stillwatch.apps.watch.windows import HOUR, Grid
from stillwatch.model import InputRefused, UsageError
from tests.apps.watch.small import LATE, MINUTE, Desk, append, at, count, lines, row, same_bytes


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_window_is_concluded_as_soon_as_it_is_over(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 5), row(1, 59), row(2, 61)]))
    assert desk.sweep(60) == []
    assert desk.sweep(60.3) == []
    (found,) = desk.sweep(60.5)
    assert (found.segment.rows, found.segment.until, found.delay) == (2, at(60), 30.0)
    assert desk.manifest()["ids"] == ["e00000", "e00001"]
    assert desk.sweep(70) == []


def test_conclusions_are_over_everything_so_far(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 5), row(1, 65), row(2, 200)]))
    desk.sweep(300)
    assert desk.segments() == [["e00000"], ["e00001"], ["e00002"]]  # an hour without traffic makes no segment
    assert desk.manifest()["ids"] == ["e00000", "e00001", "e00002"]
    assert [one.segment.rows for one in desk.verdicts] == [1, 1, 1]


def test_late_rows_go_into_the_next_window_and_are_counted(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 5)]))
    desk.sweep(61)
    append(desk.log / "a.ndjson", lines([row(1, 30), row(2, 70)]))
    desk.sweep(62)
    (found,) = desk.sweep(121)
    assert (found.segment.rows, found.segment.late) == (2, 1)
    assert desk.segments() == [["e00000"], ["e00001", "e00002"]]


def test_a_row_from_the_future_is_judged_with_those_of_now(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 5), row(1, 60 * 24 * 9_000)]))
    desk.sweep(30)
    desk.sweep(61)
    assert desk.segments() == [["e00000", "e00001"]]
    assert desk.store().load().spool == ()


def test_a_clock_that_goes_backwards_loses_nothing(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 5)]))
    desk.sweep(61)
    append(desk.log / "a.ndjson", lines([row(1, 62)]))
    desk.sweep(-600)
    append(desk.log / "a.ndjson", lines([row(2, 63)]))
    desk.sweep(-599)
    assert desk.segments() == [["e00000"]]
    desk.sweep(121)
    assert desk.segments() == [["e00000"], ["e00001", "e00002"]]


def test_the_polls_in_which_rows_came_leave_no_trace(desk: Desk, tmp_path: Path) -> None:
    rows = [row(i, (i * 37) % 50) for i in range(9)] + [row(9, 50.5), row(10, 50.2)]
    append(desk.log / "a.ndjson", lines(rows))
    desk.sweep(125)
    other = Desk(tmp_path / "other")
    for number, part in enumerate((rows[:2], rows[2:8], rows[8:10], rows[10:])):
        append(other.log / "a.ndjson", lines(part))
        other.sweep(50 + number)
    other.sweep(125)
    one, two = (each.folder / "state" / "segments" / "000001.parquet" for each in (desk, other))
    assert one.read_bytes() == two.read_bytes()
    assert same_bytes(desk.out, other.out)


def test_a_long_backlog_is_concluded_once(desk: Desk) -> None:
    desk.changes = {"behind": 3}
    append(desk.log / "a.ndjson", lines([row(i, 60 * i + 1) for i in range(4)]))
    (found,) = desk.sweep(60 * 9)
    assert (found.segment.since, found.segment.until, found.segment.rows) == (at(0), at(240), 4)


@pytest.mark.slow
def test_many_small_polls_become_one_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "MANY", 4)
    bad = b"nonsense\n"
    for number in range(10):
        append(desk.log / "a.ndjson", lines([row(number, 10 * number)]) + (bad if number % 3 == 0 else b""))
        desk.sweep(10 * number + 1)
    assert [len(each) for each in desk.segments()] == [6]
    assert len(desk.store().load().spool) <= 4
    desk.sweep(130)
    assert desk.segments() == [[f"e{i:05d}" for i in range(6)], [f"e{i:05d}" for i in range(6, 10)]]
    assert [one["row"] for one in desk.rejected()] == [2, 6, 10, 14]


def test_old_segments_leave_when_they_are_not_to_be_kept(desk: Desk) -> None:
    desk.changes = {"keep": 2 * HOUR}
    append(desk.log / "a.ndjson", lines([row(i, 60 * i + 1) for i in range(4)]))
    desk.sweep(300)
    assert desk.manifest()["ids"] == ["e00002", "e00003"]
    assert sorted(path.name for path in (desk.folder / "state" / "segments").iterdir()) == [
        "000003.parquet",
        "000004.parquet",
    ]


def test_a_repeated_name_counts_once_whenever_it_comes(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 5), row(0, 6, prompt="again")]))
    desk.sweep(30)
    append(desk.log / "a.ndjson", lines([row(0, 5)]))
    desk.sweep(61)
    kept = pq.read_table(desk.folder / "state" / "segments" / "000001.parquet")
    assert kept["prompt"].to_pylist() == ["why?", "why?"]  # detection itself leaves out the later one, and says so
    assert len(desk.rejected()) == 1


def test_a_disk_that_is_full_ends_the_watcher_and_it_resumes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 5), row(1, 65)]))
    desk.now = at(130)
    places = ((disk.os, "fsync"), (disk.os, "replace"), (watcher, "copy_run"))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for module, name in places:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, full)
            with pytest.raises(UsageError, match=r"cannot be written \(No space left on device\)"):
                desk.once()
    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    append(desk.log / "a.ndjson", lines([row(2, 66)]))
    with pytest.raises(UsageError, match="goes on where it was"):
        desk.once()
    monkeypatch.undo()
    desk.now = at(200)
    desk.once()
    assert sorted(name for each in desk.segments() for name in each) == ["e00000", "e00001", "e00002"]
    assert sorted(desk.manifest()["ids"]) == ["e00000", "e00001", "e00002"]


def test_what_cannot_be_concluded_now_is_concluded_later(desk: Desk) -> None:
    broken = [True]

    def conclude(step: Step) -> Any:
        if broken:
            raise InputRefused("accounts.parquet: is not a whole Parquet file")
        return count(step)

    desk.changes = {"conclude": conclude}
    append(desk.log / "a.ndjson", lines([row(0, 5), row(1, 65)]))
    with pytest.raises(InputRefused):
        desk.sweep(130)
    waits: list[int] = []

    class Enough(BaseException):
        pass

    def wait(span: int) -> None:
        waits.append(span)
        desk.now += span
        if len(waits) == 3:
            broken.clear()
        if len(waits) == 5:
            raise Enough

    store = desk.store()
    world = Surroundings(lambda: desk.now, wait, desk.verdicts.append, desk.said.append)
    with pytest.raises(Enough):
        forever(desk.plan(store), store, world, LATE)
    assert waits == [2 * LATE, 3 * LATE, 3 * LATE, LATE, LATE]  # 20, 40, 60 s at most
    assert len(desk.said) == 1
    assert [one.segment.number for one in desk.verdicts] == [1, 2]
    assert desk.manifest()["steps"] == 2


def test_two_watchers_do_not_share_a_state(desk: Desk) -> None:
    store = desk.store()
    with disk.alone_in(store.folder), pytest.raises(UsageError, match="another watcher"):
        once(desk.plan(store), store, Surroundings(lambda: 0, lambda _: None))


def test_a_state_that_is_damaged_or_of_another_kind_is_refused(desk: Desk, tmp_path: Path) -> None:
    store = desk.store()
    store.commit(store.load())
    path = store.folder / "state.json"
    held = json.loads(path.read_text())
    path.write_text(json.dumps(held | {"format": 0}))
    with pytest.raises(UsageError, match="another version"):
        store.load()
    path.write_text("{")
    with pytest.raises(InputRefused, match="is damaged"):
        store.load()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").touch()
    with pytest.raises(UsageError, match="something else"):
        Store(tmp_path / "mine")


def test_a_state_is_private_for_it_holds_prompts(desk: Desk) -> None:
    assert desk.store().folder.stat().st_mode & 0o077 == 0


def test_what_a_kill_left_is_removed(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 5)]))
    desk.sweep(30)
    folder = desk.folder / "state"
    for name in ("spool/00000099.parquet", "segments/000099.parquet", "scratch/x"):
        (folder / name).touch()
    (folder / "steps" / "000007").mkdir()
    desk.sweep(31)
    left = sorted(str(path.relative_to(folder)) for path in folder.glob("*/*"))
    assert left == ["spool/00000001.parquet"]


def test_a_window_whose_rows_were_all_bad_is_told_too(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 5)]))
    desk.sweep(61)
    append(desk.log / "a.ndjson", b"nonsense\n")
    desk.sweep(62)
    (found,) = desk.sweep(121)
    assert (found.segment.rows, found.segment.rejected) == (0, 1)
    assert [one["row"] for one in desk.rejected()] == [2]


def test_windows_may_be_made_longer_between_two_starts(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(i, 60 * i + 5) for i in range(3)]))
    desk.sweep(61)
    desk.changes = {"grid": Grid(4 * HOUR, MINUTE)}
    append(desk.log / "a.ndjson", lines([row(9, 70)]))
    desk.sweep(150)
    desk.sweep(500)
    found = [name for each in desk.segments() for name in each]
    assert sorted(found) == ["e00000", "e00001", "e00002", "e00009"]


def test_the_run_of_a_step_is_its_own_until_it_counts(desk: Desk) -> None:
    """A step that was killed after its run was written is taken again from the run before, not from its own."""
    append(desk.log / "a.ndjson", lines([row(0, 5), row(1, 65)]))
    desk.sweep(61)
    seen: list[tuple[Path | None, bool]] = []

    def conclude(step: Step) -> Any:
        seen.append((step.before, any(step.here.iterdir())))
        return count(step)

    desk.changes = {"conclude": conclude}
    (found,) = desk.sweep(125)
    store = desk.store()
    state = dataclasses.replace(store.load(), concluded=1, published=1)
    first = desk.manifest()
    # as if killed between the writing of the second run and the commit that names it; the first step was still there
    store.commit(state)
    (store.step(1) / "run").mkdir(parents=True)
    for path in (store.step(2) / "run").iterdir():
        (store.step(1) / "run" / path.name).write_bytes(path.read_bytes())
    desk.sweep(126)
    assert [empty for _, empty in seen] == [False, False]
    assert [before == store.step(1) for before, _ in seen] == [True, True]
    assert desk.manifest()["ids"] == first["ids"]
    assert found.segment.number == 2


def test_nothing_is_lost_between_the_columns_of_a_log_and_a_segment(desk: Desk) -> None:
    more = {"tools": ["a", "b"], "temperature": 0.5, "stream": True, "n": 2, "response": "text"}
    append(desk.log / "a.ndjson", lines([row(0, 5, **more)]))
    desk.sweep(61)
    kept: pa.Table = pq.read_table(desk.folder / "state" / "segments" / "000001.parquet")
    told = {name: value for name, value in kept.to_pylist()[0].items() if value is not None}
    assert {name: told[name] for name in ("tools", "temperature", "stream", "n")} == {
        name: more[name] for name in ("tools", "temperature", "stream", "n")
    }
    assert "response" not in kept.column_names  # no signal reads answers
