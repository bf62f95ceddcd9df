from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.apps.gateway.recording import compactor as compacting
from stillwatch.apps.gateway.recording import layout as placing
from stillwatch.apps.gateway.recording import texts as dropping
from stillwatch.apps.gateway.recording.compactor import Compactor, Swept
from stillwatch.apps.gateway.recording.layout import SPOOL, Layout, files
from stillwatch.apps.gateway.recording.segments import made_of
from stillwatch.apps.gateway.recording.spool import Spool
from stillwatch.model import UsageError
from tests.apps.gateway.recording.small import KEY, NOON, compact, fill, ids, keep, numbered, segments, settings


def test_finished_files_become_one_segment_named_after_the_first(tmp_path: Path) -> None:
    names = [fill(tmp_path, numbers).name for numbers in (range(3), range(3, 5), range(5, 9))]
    assert compact(tmp_path) == Swept(exchanges=9, segments=1, waiting=1, oldest=pytest.approx(0, abs=60))
    (path,) = (tmp_path / "waiting").iterdir()
    assert path.stem == Path(names[0]).stem
    assert made_of(path) == names
    assert ids(tmp_path) == numbered(range(9))
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_segment_does_not_grow_past_what_fits_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "MOST", 1_000)
    for start in range(0, 40, 4):
        fill(tmp_path, range(start, start + 4))
    assert compact(tmp_path).segments > 3
    assert ids(tmp_path) == numbered(range(40))


def test_damage_in_the_middle_is_set_aside_with_its_place_and_costs_that_record_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = fill(tmp_path, range(5))
    data = bytearray(path.read_bytes())
    at = data.index(b"e00002")
    data[at] ^= 1
    path.write_bytes(bytes(data))
    assert compact(tmp_path).damaged == 1
    assert ids(tmp_path) == ["e00000", "e00001", "e00003", "e00004"]
    (aside,) = (tmp_path / "damaged").iterdir()
    stem, _, offset = aside.stem.partition("@")
    assert stem == path.stem
    assert data[int(offset) :].startswith(aside.read_bytes())
    assert int(offset) < at < int(offset) + aside.stat().st_size
    (record,) = [each for each in caplog.records if each.message == "spool-damaged"]
    assert (record.file, record.offset) == (path.name, int(offset))  # type: ignore[attr-defined]


def test_a_damaged_beginning_costs_no_exchange(tmp_path: Path) -> None:
    path = fill(tmp_path, range(3))
    data = path.read_bytes()
    path.write_bytes(b"\0" * 20 + data[20:])
    assert compact(tmp_path).damaged == 1
    assert ids(tmp_path) == numbered(range(3))


def test_a_record_that_was_never_finished_is_dropped(tmp_path: Path) -> None:
    path = fill(tmp_path, range(3))
    path.write_bytes(path.read_bytes()[:-7])
    swept = compact(tmp_path)
    assert (swept.exchanges, swept.torn, swept.damaged) == (2, 1, 0)


def test_a_file_that_is_no_spool_is_set_aside_whole(tmp_path: Path) -> None:
    fill(tmp_path, range(2))
    stranger = tmp_path / "spool" / f"{NOON:016d}-1-zz{SPOOL}"
    stranger.write_bytes(b"hello there, this is something else")
    assert compact(tmp_path).damaged == 1
    assert ids(tmp_path) == numbered(range(2))
    assert [path.read_bytes() for path in (tmp_path / "damaged").iterdir()] == [b"hello there, this is something else"]


def test_two_compactors_do_not_work_on_one_log(tmp_path: Path) -> None:
    with (
        Compactor(settings(tmp_path), KEY),
        pytest.raises(UsageError, match="another compactor"),
        Compactor(settings(tmp_path), KEY),
    ):
        pass


def test_an_error_in_the_middle_is_met_again_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, range(3))
    fill(tmp_path, range(3, 6))
    with Compactor(settings(tmp_path), KEY) as compactor:
        with monkeypatch.context() as patch:
            patch.setattr(Compactor, "_remove", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
            with pytest.raises(OSError, match="Input/output"):
                compactor.sweep()
        (waiting,) = files(Layout(tmp_path).waiting, ".parquet")
        compactor.texts.after_fold(waiting)  # the watcher was quick
        fill(tmp_path, range(6, 8))
        assert compactor.sweep().exchanges == 2
    assert ids(tmp_path) == numbered(range(8))


def die_before(step: int) -> Callable[[Any, str], None]:
    """Patches that end this process before the n-th thing that is done to the disk, as SIGKILL would."""
    done = 0

    def patch(where: Any, name: str) -> None:
        act = getattr(where, name)

        def wrapped(*given: Any, **more: Any) -> Any:
            nonlocal done
            done += 1
            if done == step:
                os._exit(9)
            return act(*given, **more)

        setattr(where, name, wrapped)

    return patch


def test_a_kill_before_any_step_on_the_disk_neither_loses_nor_doubles(tmp_path: Path) -> None:
    """Compaction, the watcher's fold, and the drop of text: in a process that dies before its n-th step."""
    steps = 0
    for step in range(1, 200):
        folder = tmp_path / f"{step}"
        for start in (0, 3, 6):
            path = fill(folder, range(start, start + 3))
        path.write_bytes(path.read_bytes() + b"some damage" + path.read_bytes()[-40:])
        child = os.fork()
        if not child:
            try:
                patch = die_before(step)
                for module in (compacting, placing, dropping):
                    patch(module, "fsync")
                for name in ("replace", "unlink", "open"):
                    patch(os, name)
                patch(Path, "unlink")
                work(folder)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, 9), step
        work(folder)
        assert ids(folder, "segments") == numbered(range(9)), step
        assert list((folder / "spool").iterdir()) == list((folder / "waiting").iterdir()) == []
        assert not [path for path in folder.rglob("*") if path.name.startswith(".") and path.suffix == ".new"]
        steps = step
        if code == 0:
            break
    assert steps > 20


def work(folder: Path) -> None:
    with Compactor(settings(folder), KEY) as compactor:
        compactor.sweep()
        for path in files(Layout(folder).waiting, ".parquet"):
            compactor.texts.after_fold(path)


def test_what_a_killed_worker_left_before_its_file_had_a_name_is_removed(tmp_path: Path) -> None:
    fill(tmp_path, range(1))
    stray = tmp_path / "spool" / f".{NOON:016d}-7-00000000{SPOOL}"
    stray.write_bytes(b"")
    os.utime(stray, (1, 1))
    compact(tmp_path)
    assert list((tmp_path / "spool").iterdir()) == []


def test_exchanges_of_several_workers_stand_in_the_order_of_time(tmp_path: Path) -> None:
    spools = [Spool(settings(tmp_path)) for _ in range(3)]
    for number in range(12):
        keep(spools[number % 3], [number])
    for spool in spools:
        spool.close()
    compact(tmp_path)
    (table,) = segments(tmp_path)
    assert table["exchange_id"].to_pylist() == numbered(range(12))
    assert pq.read_schema(next((tmp_path / "waiting").iterdir())).names == table.column_names
