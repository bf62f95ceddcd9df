from __future__ import annotations

import os
from pathlib import Path

import pytest

from stillwatch.apps.gateway.recording import hours
from stillwatch.apps.gateway.recording.hours import HOUR, merge_hours
from stillwatch.apps.gateway.recording.layout import Layout, files
from stillwatch.apps.gateway.recording.segments import has_text, made_of
from stillwatch.apps.gateway.recording.texts import Texts
from tests.apps.gateway.recording.small import KEY, compact, fill, ids, numbered, settings

START = 500_000 * HOUR


def log(folder: Path, moments: list[float], text: str = "sketch") -> Layout:
    """Segments that were begun at these seconds, three exchanges each."""
    layout = Layout(folder).make()
    for number, moment in enumerate(moments):
        fill(folder, range(3 * number, 3 * number + 3))
        compact(folder)
        (path,) = files(layout.waiting, ".parquet")
        Texts(settings(folder, text=text), KEY).after_fold(path)
        made = next(each for each in files(layout.segments, ".parquet") if each.stem == path.stem)
        made.rename(made.with_name(f"{int((START + moment) * 1e6):016d}-{number}-00000000.parquet"))
    return layout


def test_the_segments_of_an_hour_become_one_when_it_is_over(tmp_path: Path) -> None:
    layout = log(tmp_path, [0, 10, 3_599, 3_600, 3_700])
    assert merge_hours(layout, START + HOUR + 599, lambda _: True) == 0
    assert merge_hours(layout, START + HOUR + 600, lambda _: True) == 2
    merged = [path for path in files(layout.segments, ".parquet") if path.name.startswith("hour-")]
    assert len(merged) == 1
    assert len(made_of(merged[0])) == 3
    assert not has_text(merged[0])
    assert len(files(layout.segments, ".parquet")) == 3
    assert ids(tmp_path) == numbered(range(15))
    assert merge_hours(layout, START + 9 * HOUR, lambda _: True) == 1
    assert ids(tmp_path) == numbered(range(15))


def test_segments_that_kafka_has_not_got_are_left_as_they_are(tmp_path: Path) -> None:
    layout = log(tmp_path, [0, 10, 20, 30])
    first = files(layout.segments, ".parquet")[0]
    assert merge_hours(layout, START + 2 * HOUR, lambda path: path != first) == 2
    assert first.exists()
    assert ids(tmp_path) == numbered(range(12))


def test_an_hour_of_which_a_segment_still_waits_is_left(tmp_path: Path) -> None:
    layout = log(tmp_path, [0, 10])
    (layout.waiting / f"{int((START + 30) * 1e6):016d}-9-00000000.parquet").write_bytes(b"")
    assert merge_hours(layout, START + 2 * HOUR, lambda _: True) == 0


def test_a_large_hour_becomes_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "MOST", 6)
    layout = log(tmp_path, [0, 1, 2, 3, 4])
    assert merge_hours(layout, START + 2 * HOUR, lambda _: True) == 2
    assert ids(tmp_path) == numbered(range(15))


def test_a_kill_at_any_step_of_merging_neither_loses_nor_doubles(tmp_path: Path) -> None:
    for step in range(1, 30):
        folder = tmp_path / f"{step}"
        layout = log(folder, [0, 1, 2])
        child = os.fork()
        if not child:
            try:
                die_before(step)
                merge_hours(layout, START + 2 * HOUR, lambda _: True)
                os._exit(0)
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 9)
        merge_hours(layout, START + 2 * HOUR, lambda _: True)
        assert ids(folder) == numbered(range(9)), step
        if code == 0:
            break
    assert step > 6


def die_before(step: int) -> None:
    done = 0

    def counted(act):
        def wrapped(*given, **more):
            nonlocal done
            done += 1
            if done == step:
                os._exit(9)
            return act(*given, **more)

        return wrapped

    for where, name in ((hours, "fsync"), (os, "replace"), (os, "fsync"), (os, "open"), (Path, "unlink")):
        setattr(where, name, counted(getattr(where, name)))


def test_merging_is_finished_before_anything_else_is_merged(tmp_path: Path) -> None:
    layout = log(tmp_path, [0, 1, 2])
    parts = files(layout.segments, ".parquet")
    hours.write_parts(parts, parts[0].with_name(f"hour-{parts[0].name}"))
    parts[1].unlink()  # and killed here
    assert merge_hours(layout, START, lambda _: True) == 0
    assert ids(tmp_path) == numbered(range(9))
