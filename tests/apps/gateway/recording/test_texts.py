from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.recording.layout import PARQUET, Layout, begun, files
from stillwatch.apps.gateway.recording.segments import has_text
from stillwatch.apps.gateway.recording.spool import Spool
from stillwatch.apps.gateway.recording.texts import Texts
from stillwatch.sketch.named import keys_of
from stillwatch.sketch.text import hash_text
from tests.apps.gateway.recording.small import (
    KEY,
    MARKER,
    OK,
    arrival,
    compact,
    everything_on_disk,
    fill,
    ids,
    numbered,
    segments,
    settings,
)

SKETCHES = pa.table(
    {
        "exchange_id": numbered([3, 1, 0]),
        "template_key": pa.array([0, -5, 77], pa.int64()),
        "fill_hash": pa.array([9, 8, -(1 << 63)], pa.int64()),
    }
)


def waiting(folder: Path) -> list[Path]:
    return files(Layout(folder).waiting, PARQUET)


def written(folder: Path) -> Path:
    """A segment with five exchanges, whose prompts and system prompts hold the marker."""
    spool = Spool(settings(folder))
    for number in range(5):
        spool.record(arrival(number, system_prompt=f"{MARKER} system"), ALLOWED, OK)
    spool.close()
    compact(folder)
    (path,) = waiting(folder)
    return path


def test_no_prompt_is_on_the_disk_once_the_watcher_has_sketched_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert MARKER.encode() in everything_on_disk(tmp_path)
    Texts(settings(tmp_path), KEY).after_fold(path, SKETCHES)
    assert MARKER.encode() not in everything_on_disk(tmp_path)
    assert ids(tmp_path, "segments") == numbered(range(5))
    assert waiting(tmp_path) == []


def test_the_sketches_take_the_place_of_the_text(tmp_path: Path) -> None:
    path = written(tmp_path)
    Texts(settings(tmp_path), KEY).after_fold(path, SKETCHES)
    (table,) = segments(tmp_path)
    assert not {"prompt", "system_prompt", "response"} & set(table.column_names)
    assert keys_of(table["template_key"].combine_chunks(), KEY).tolist() == [77, -5, 0, 0, 0]
    whole = hash_text(pa.array([arrival(number).prompt for number in (2, 4)]), KEY).tolist()
    fills = keys_of(table["fill_hash"].combine_chunks(), KEY).tolist()
    assert fills == [-(1 << 63), 8, whole[0], 9, whole[1]]  # of those without a sketch, the whole prompt


def test_text_stays_where_that_is_asked(tmp_path: Path) -> None:
    path = written(tmp_path)
    Texts(settings(tmp_path, text="keep"), KEY).after_fold(path, SKETCHES)
    assert waiting(tmp_path) == []
    (table,) = segments(tmp_path, "segments")
    assert all(MARKER in prompt for prompt in table["prompt"].to_pylist())


@pytest.mark.parametrize("text", ["sketch", "keep"])
def test_folding_a_segment_twice_changes_nothing(tmp_path: Path, text: str) -> None:
    path = written(tmp_path)
    texts = Texts(settings(tmp_path, text=text), KEY)
    texts.after_fold(path, SKETCHES)
    before = everything_on_disk(tmp_path)
    texts.after_fold(path, SKETCHES)
    assert everything_on_disk(tmp_path) == before


def test_text_that_waits_too_long_is_dropped_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path)
    late = begun(path) + 3_601
    with caplog.at_level(logging.ERROR):
        assert compact(tmp_path, clock=late - 10).dropped_unsketched == 0
        assert compact(tmp_path, clock=late).dropped_unsketched == 5
        assert compact(tmp_path, clock=late + 10).dropped_unsketched == 0
    assert [record.message for record in caplog.records] == ["text-dropped-unsketched"]
    assert MARKER.encode() not in everything_on_disk(tmp_path)
    assert waiting(tmp_path) == [path]  # the watcher can still count what is left
    assert not has_text(path)
    Texts(settings(tmp_path), KEY).after_fold(path)
    (table,) = segments(tmp_path, "segments")
    assert table["template_key"].null_count == 5
    whole = hash_text(pa.array([arrival(number).prompt for number in range(5)]), KEY)
    assert np.array_equal(keys_of(table["fill_hash"].combine_chunks(), KEY), whole)


def test_text_that_is_kept_is_never_too_old(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert compact(tmp_path, clock=begun(path) + 1e9, text="keep").dropped_unsketched == 0
    assert has_text(path)


def test_damaged_stretches_may_hold_text_and_go_when_they_are_old(tmp_path: Path) -> None:
    path = fill(tmp_path, range(3))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"e00001", b"e0000?"))
    compact(tmp_path, watched=False)
    (aside,) = (tmp_path / "damaged").iterdir()
    assert MARKER.encode() in aside.read_bytes()
    compact(tmp_path, clock=aside.stat().st_mtime + 3_601)
    assert MARKER.encode() not in everything_on_disk(tmp_path)


@pytest.mark.parametrize(("text", "there"), [("sketch", False), ("keep", True)])
def test_without_a_watcher_a_segment_is_finished_when_it_is_written(tmp_path: Path, text: str, there: bool) -> None:
    fill(tmp_path, range(3))
    compact(tmp_path, watched=False, text=text)
    assert ids(tmp_path, "segments") == numbered(range(3))
    assert waiting(tmp_path) == []
    assert (MARKER.encode() in everything_on_disk(tmp_path)) == there
