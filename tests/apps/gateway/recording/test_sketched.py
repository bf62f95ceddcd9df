from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.apps.detect import detect_in
from stillwatch.apps.gateway.recording.layout import Layout, files
from stillwatch.apps.gateway.recording.sketched import drop_text_of_folded, sketches_in
from stillwatch.apps.gateway.recording.texts import Texts
from stillwatch.sketch.named import keys_of
from stillwatch.sketch.text import SketchKey
from tests.apps.gateway.recording.small import MARKER, compact, everything_on_disk, fill, numbered, segments, settings

SECRET = b"of this deployment"
KEY = SketchKey.from_secret(SECRET)


def test_what_the_watcher_folded_takes_the_place_of_the_text(tmp_path: Path) -> None:
    """Forty prompts of one template: the log keeps the key that the watcher's own state has."""
    log, state = tmp_path / "log", tmp_path / "state"
    fill(log, range(40))
    compact(log)
    (path,) = files(Layout(log).waiting, ".parquet")
    after_fold = drop_text_of_folded(Texts(settings(log), KEY), state)
    with pytest.raises(FileNotFoundError, match="holds no step"):
        after_fold(path)
    assert path.exists()
    here = state / "steps" / "000001" / "state"
    here.mkdir(parents=True)
    detect_in((str(path), None, None), sw.Settings(secret=SECRET), (None, here))
    made = sketches_in(state, path).sort_by("exchange_id")
    assert made["exchange_id"].to_pylist() == numbered(range(40))
    after_fold(path)
    after_fold(path)  # again after a restart
    assert MARKER.encode() not in everything_on_disk(log)
    (table,) = segments(log, "segments")
    keys = keys_of(table["template_key"].combine_chunks(), KEY).tolist()
    assert keys == made["template_key"].to_pylist()
    assert len(set(keys)) == 1
    assert keys[0] != 0
    assert keys_of(table["fill_hash"].combine_chunks(), KEY).tolist() == made["fill_hash"].to_pylist()


def test_only_the_exchanges_of_the_segment_are_looked_up(tmp_path: Path) -> None:
    fill(tmp_path, range(3))
    compact(tmp_path)
    (path,) = files(Layout(tmp_path).waiting, ".parquet")
    here = tmp_path / "state" / "steps" / "000002" / "state"
    here.mkdir(parents=True)
    rows = {"exchange_id": numbered(range(1, 9)), "template_key": list(range(8)), "fill_hash": list(range(8))}
    pq.write_table(pa.table(rows), here / "window-00001.parquet")
    assert sketches_in(tmp_path / "state", path)["exchange_id"].to_pylist() == numbered([1, 2])
