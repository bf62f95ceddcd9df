"""The recorder's segments are read once each, and handed on when detection is done with them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.apps.gateway.live.segments import Segments
from stillwatch.apps.watch.sources import Position, SourceLost
from stillwatch.apps.watch.windows import Grid
from tests.apps.watch.small import LATE, MINUTE, at, row, table

GRID = Grid(MINUTE, LATE)


def write(folder: Path, name: str, *minutes: float) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table([row(number, minute) for number, minute in enumerate(minutes)]), path)
    return path


def sweep(source: Segments, position: Position, now: int) -> tuple[list[str], Position]:
    names: list[str] = []
    for batch in source.sweep(position, now):
        names += [each.label for each in batch.origins]
        position = batch.after({})
    return names, position


def test_each_segment_is_read_once_whatever_becomes_of_it(tmp_path: Path) -> None:
    source = Segments(tmp_path, GRID)
    write(tmp_path, "w1/000001.parquet", 0.2)
    write(tmp_path, "w2/000001.parquet", 0.3)
    write(tmp_path, ".tmp/000002.parquet", 0.4)
    write(tmp_path, ".000002.parquet", 0.4)
    names, position = sweep(source, {}, at(0.5))
    assert names == ["w1/000001.parquet", "w2/000001.parquet"]
    pq.write_table(pa.table({"exchange_id": ["e"]}), tmp_path / "w1/000001.parquet")  # its text was dropped
    write(tmp_path, "w1/000002.parquet", 0.6)
    names, position = sweep(Segments(tmp_path, GRID), position, at(1))
    assert names == ["w1/000002.parquet"]


def test_a_segment_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    source = Segments(tmp_path, GRID)
    path = write(tmp_path, "000001.parquet", 0.2)
    _, position = sweep(source, {}, at(0.5))
    path.unlink()
    write(tmp_path, "000002.parquet", 0.6)
    _, position = sweep(source, position, at(1))
    assert list(position["files"]) == ["000002.parquet"]


def test_a_segment_is_handed_on_when_its_last_window_is_folded(tmp_path: Path) -> None:
    done: list[str] = []
    source = Segments(tmp_path, GRID, lambda path: done.append(path.name))
    write(tmp_path, "000001.parquet", 0.1, 0.9)
    write(tmp_path, "000002.parquet", 0.95, 1.1)
    sweep(source, {}, at(1.2))
    source.folded(at(1), waiting=True)
    assert done == ["000001.parquet"]
    source.folded(at(2), waiting=True)
    source.folded(at(3), waiting=True)
    assert done == ["000001.parquet", "000002.parquet"]


def test_when_nothing_waits_everything_that_was_read_is_handed_on(tmp_path: Path) -> None:
    done: list[str] = []
    source = Segments(tmp_path, GRID, lambda path: done.append(path.name))
    write(tmp_path, "000001.parquet", 0.1)  # late: it goes into a window of later
    sweep(source, {}, at(5.5))
    source.folded(at(5), waiting=False)
    assert done == ["000001.parquet"]


def test_a_segment_whose_text_cannot_be_dropped_is_said_and_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    tries: list[int] = []

    def drop(_: Path) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise PermissionError(13, "Permission denied")

    source = Segments(tmp_path, GRID, drop, said.append)
    write(tmp_path, "000001.parquet", 0.1)
    sweep(source, {}, at(0.5))
    for _ in range(3):
        source.folded(at(1), waiting=False)
    assert len(tries) == 2
    assert said == ["000001.parquet: its text could not be dropped (Permission denied)"]


def test_a_refused_segment_is_said_and_keeps_its_bytes(tmp_path: Path) -> None:
    said: list[str] = []
    done: list[str] = []
    source = Segments(tmp_path, GRID, lambda path: done.append(path.name), said.append)
    (tmp_path / "000001.parquet").write_bytes(b"nonsense")
    for batch in source.sweep({}, at(0.5)):
        position = batch.after({"000001.parquet": "is no Parquet file"})
    source.folded(at(1), waiting=False)
    assert sweep(source, position, at(1.5)) == ([], position)
    assert position["refused"] == {"000001.parquet": "is no Parquet file"}
    source.folded(at(2), waiting=False)
    assert said == ["000001.parquet: set aside: is no Parquet file"]
    assert done == []


def test_a_folder_that_cannot_be_read_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceLost, match="cannot be read"):
        sweep(Segments(tmp_path / "file" / "below", GRID), {}, at(1))
