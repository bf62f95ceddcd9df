"""Files that grow, arrive, move, shrink and break while they are watched."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.apps.watch import files
from stillwatch.apps.watch.windows import SECOND
from tests.apps.watch.small import Desk, append, at, lines, row, table


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path, now=at(70))
    made.log.mkdir()
    return made


def ids(desk: Desk) -> list[str]:
    return sorted(name for each in desk.segments() for name in each)


def test_a_growing_file_is_read_on_from_the_last_whole_line(desk: Desk) -> None:
    data = lines([row(i, i) for i in range(6)])
    for start in range(0, len(data), 140):  # half lines at every sweep
        append(desk.log / "a.ndjson", data[start : start + 140])
        desk.sweep(30)
    desk.sweep(70)
    assert desk.segments() == [[f"e{i:05d}" for i in range(6)]]
    assert desk.rejected() == []


def test_a_last_line_without_a_break_counts_once_it_is_whole(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 1)]) + json.dumps(row(1, 2)).encode()[:-9])
    desk.sweep(30)
    append(desk.log / "a.ndjson", json.dumps(row(1, 2)).encode()[-9:])
    desk.sweep(31)
    append(desk.log / "a.ndjson", b"\n" + lines([row(2, 3), row(3, 4)])[:-1])
    desk.sweep(70)
    assert ids(desk) == ["e00000", "e00001", "e00002", "e00003"]


def test_bad_rows_are_told_with_the_line_of_the_file_they_came_from(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 1), row(1, 2)]))
    desk.sweep(30)
    append(desk.log / "a.ndjson", lines([row(2, 3)]) + b"nonsense\n" + lines([row(4, 5, ts="soon")]))
    desk.sweep(31)
    append(desk.log / "a.ndjson", lines([row(5, 6), row(5, 6)]))
    desk.sweep(70)
    told = [(Path(one["file"]).name, one["row"], one["field"]) for one in desk.rejected()]
    assert told == [("a.ndjson", 4, "<line>"), ("a.ndjson", 5, "ts"), ("a.ndjson", 7, "exchange_id")]
    assert f"{desk.log / 'a.ndjson'}:6; the first is kept" in desk.rejected()[-1]["mend"]
    assert ids(desk) == ["e00000", "e00001", "e00002", "e00005"]


def test_a_rotated_file_is_known_again_under_its_new_name(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 1)]))
    desk.sweep(30)
    append(desk.log / "a.ndjson", lines([row(1, 2)]))
    (desk.log / "a.ndjson").rename(desk.log / "a-old.ndjson")
    append(desk.log / "a.ndjson", lines([row(2, 3)]))
    desk.sweep(70)
    assert ids(desk) == ["e00000", "e00001", "e00002"]
    assert desk.said == []


def test_a_longer_copy_of_a_file_is_read_on(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 1)]))
    desk.sweep(30)
    append(desk.folder / "copy", lines([row(0, 1), row(1, 2)]))
    (desk.folder / "copy").rename(desk.log / "a.ndjson")  # as rsync does
    desk.sweep(70)
    assert ids(desk) == ["e00000", "e00001"]
    assert desk.said == []


def test_a_file_that_shrinks_is_said_and_read_from_its_start(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 1), row(1, 2)]))
    desk.sweep(30)
    (desk.log / "a.ndjson").write_bytes(lines([row(2, 3)]))
    desk.sweep(70)
    assert ids(desk) == ["e00000", "e00001", "e00002"]
    assert [line for line in desk.said if "shrank" in line] == desk.said != []


def test_other_content_of_the_same_length_is_no_continuation(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 1)]))
    desk.sweep(30)
    (desk.log / "a.ndjson").write_bytes(lines([row(7, 1)]))
    os.utime(desk.log / "a.ndjson", ns=(0, 1))
    desk.sweep(70)
    assert ids(desk) == ["e00000", "e00007"]


def test_a_file_that_is_not_followed_is_read_when_it_is_complete(desk: Desk) -> None:
    path = desk.log / "a.ndjson.gz"
    whole = gzip.compress(lines([row(i, i) for i in range(5)]))
    path.write_bytes(whole[:40])
    os.utime(path, ns=(0, desk.now * 1000))
    desk.sweep()
    path.write_bytes(whole)
    os.utime(path, ns=(0, desk.now * 1000))
    desk.sweep()
    assert desk.segments() == []
    desk.now += files.SETTLED
    desk.sweep()
    assert ids(desk) == [f"e{i:05d}" for i in range(5)]
    desk.sweep()
    assert len(desk.segments()) == 1


def test_once_waits_for_what_is_still_in_the_writing(desk: Desk) -> None:
    path = desk.log / "a.parquet"
    pq.write_table(table([row(0, 1)]), path)
    os.utime(path, ns=(0, desk.now * 1000))
    desk.once()
    assert ids(desk) == ["e00000"]
    assert desk.now == at(70) + 2 * SECOND


def test_a_file_with_a_clock_ahead_of_ours_is_read_all_the_same(desk: Desk) -> None:
    path = desk.log / "a.parquet"
    pq.write_table(table([row(0, 1)]), path)
    os.utime(path, ns=(0, at(9_000) * 1000))
    desk.once()
    assert ids(desk) == ["e00000"]


def test_a_broken_file_is_set_aside_and_the_others_go_on(desk: Desk) -> None:
    (desk.log / "broken.parquet").write_bytes(b"PAR1 and nothing")
    os.utime(desk.log / "broken.parquet", ns=(0, at(1) * 1000))
    (desk.log / "other.ndjson").write_bytes(b'["an", "array"]\n')
    append(desk.log / "good.ndjson", lines([row(0, 1)]))
    desk.sweep(70)
    assert ids(desk) == ["e00000"]
    assert [(Path(one["file"]).name, one["row"]) for one in desk.rejected()] == [
        ("broken.parquet", 0),
        ("other.ndjson", 0),
    ]
    assert len(desk.said) == 2
    desk.sweep(71)
    assert len(desk.said) == 2


def test_a_broken_file_that_is_mended_is_read_and_no_longer_refused(desk: Desk) -> None:
    (desk.log / "a.ndjson").write_bytes(b"not yet a log\n")
    append(desk.log / "b.ndjson", lines([row(0, 1)]))
    desk.sweep(70)
    append(desk.log / "a.ndjson", lines([row(1, 80)]))
    desk.sweep(130)
    assert ids(desk) == ["e00000", "e00001"]
    assert [(Path(one["file"]).name, one["row"], one["field"]) for one in desk.rejected()] == [
        ("a.ndjson", 1, "<line>")
    ]


def test_a_folder_that_vanishes_is_an_outage_and_not_the_end(desk: Desk) -> None:
    append(desk.log / "a.ndjson", lines([row(0, 1)]))
    desk.sweep(30)
    desk.log.rename(desk.folder / "away")
    desk.sweep(31)
    (desk.folder / "away").rename(desk.log)
    append(desk.log / "a.ndjson", lines([row(1, 2)]))
    desk.sweep(70)
    assert ids(desk) == ["e00000", "e00001"]
    assert desk.said == [f"{desk.log}: there is no such file or folder; tried again until it answers"]


def test_a_large_file_is_read_in_slices(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SLICE", 2_000)
    append(desk.log / "a.ndjson", lines([row(i, i / 10) for i in range(40)]) + b"bad\n" + lines([row(40, 5)]))
    append(desk.log / "b.ndjson", lines([row(41, 6, prompt="x" * 900)]))
    desk.sweep(70)
    assert ids(desk) == [f"e{i:05d}" for i in range(42)]
    assert [one["row"] for one in desk.rejected()] == [41]


def test_a_piece_that_cannot_be_read_does_not_take_the_file_with_it(desk: Desk) -> None:
    path = desk.log / "a.ndjson"
    append(path, lines([row(0, 1)]))
    desk.sweep(30)
    append(path, lines([row(1, 2), row(2, 3)]))
    assert desk.source is not None
    position = desk.store().load().positions[desk.source.name]
    (batch,) = desk.source.sweep(position, at(31))
    after = batch.after({str(path): "holds a line that is too long"})
    assert after["files"][0]["offset"] == path.stat().st_size
    assert after["refused"] == {}
    assert desk.said == [f"{path}: lines 2 to 3 are left out: holds a line that is too long"]
