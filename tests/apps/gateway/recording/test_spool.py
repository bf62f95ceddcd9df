from __future__ import annotations

import dataclasses
import errno
import logging
import os
import resource
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.recording.disk import Disk
from stillwatch.apps.gateway.recording.layout import SPOOL, files
from stillwatch.apps.gateway.recording.spool import Spool, spool_bytes
from stillwatch.apps.gateway.seams import RecordingFailed
from stillwatch.model import UsageError
from tests.apps.gateway.recording.small import MARKER, OK, arrival, compact, ids, keep, numbered, settings

PLENTY = 1 << 40


@dataclasses.dataclass
class Broken:
    """A disk that can be filled, slowed and broken."""

    room: int = PLENTY  # bytes that still fit
    seconds: float = 0.0  # of each write
    error: int = 0  # errno of each write
    sync_error: int = 0
    cut_error: int = 0
    free: int = PLENTY
    now: float = 0.0
    syncs: int = 0

    def disk(self) -> Disk:
        return Disk(self.write, self.sync, self.cut, lambda _: self.free, lambda: self.now)

    def write(self, handle: int, data: bytes) -> int:
        self.now += self.seconds
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = data[: self.room]
        self.room -= len(part)
        return os.write(handle, part)

    def sync(self, handle: int) -> None:
        self.syncs += 1
        if self.sync_error:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        os.fdatasync(handle)

    def cut(self, handle: int, size: int) -> None:
        if self.cut_error:
            raise OSError(self.cut_error, os.strerror(self.cut_error))
        self.room += os.fstat(handle).st_size - size
        os.ftruncate(handle, size)


@pytest.fixture
def broken() -> Broken:
    return Broken()


def opened(folder: Path, broken: Broken | None = None, **other: object) -> Spool:
    return Spool(settings(folder, **other), *([broken.disk()] if broken else []))


def test_an_exchange_is_in_the_file_when_record_returns(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    keep(spool, range(3))
    (path,) = files(tmp_path / "spool", SPOOL)
    assert path.read_bytes().count(MARKER.encode()) == 3
    assert (spool.recorded, spool.lost, spool.ready(), spool.refusal()) == (3, 0, "", "")
    assert spool_bytes(tmp_path) == path.stat().st_size
    spool.close()


def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    spool = opened(tmp_path / "log")
    keep(spool, range(1))
    spool.close()
    compact(tmp_path / "log")
    paths = [tmp_path / "log", *(tmp_path / "log").rglob("*")]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()} == {0o700}


def test_a_file_that_is_written_is_left_alone_and_one_that_is_closed_is_taken(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    keep(spool, range(2))
    assert compact(tmp_path).exchanges == 0
    spool.close()
    assert compact(tmp_path).exchanges == 2


def test_a_worker_that_recorded_nothing_leaves_nothing(tmp_path: Path) -> None:
    opened(tmp_path).close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_file_is_ended_by_its_age_and_by_its_size(tmp_path: Path) -> None:
    spool = opened(tmp_path, rotate_seconds=10.0, rotate_bytes=4_096)
    now = time.monotonic()
    spool.tick(now + 60)
    assert len(files(tmp_path / "spool", SPOOL)) == 1  # nothing in it yet
    keep(spool, range(1))
    spool.tick(now)
    assert len(files(tmp_path / "spool", SPOOL)) == 1
    spool.tick(now + 60)
    assert len(files(tmp_path / "spool", SPOOL)) == 2
    keep(spool, range(1, 40))
    spool.tick(time.monotonic())
    assert len(files(tmp_path / "spool", SPOOL)) == 3
    spool.close()
    compact(tmp_path)
    assert ids(tmp_path) == numbered(range(40))


def test_threads_of_one_worker_may_record_together(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    threads = [threading.Thread(target=keep, args=(spool, range(n * 200, n * 200 + 200))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()
    compact(tmp_path)
    assert ids(tmp_path) == numbered(range(800))


def test_a_fork_writes_a_file_of_its_own(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    keep(spool, range(1))
    child = os.fork()
    if not child:
        try:
            keep(spool, range(1, 2))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    keep(spool, range(2, 3))
    assert compact(tmp_path).exchanges == 1  # the child's; its end took nothing from the parent's lock
    spool.close()
    compact(tmp_path)
    assert ids(tmp_path) == numbered(range(3))


def test_on_a_full_disk_a_closed_recorder_refuses_and_goes_on_when_there_is_room(
    tmp_path: Path, broken: Broken
) -> None:
    spool = opened(tmp_path, broken, on_failure="closed")
    keep(spool, range(1))
    broken.room = 100  # the next record is begun and does not fit
    with pytest.raises(RecordingFailed, match="No space left"):
        keep(spool, range(1, 2))
    with pytest.raises(RecordingFailed, match="No space left"):
        keep(spool, range(2, 3))
    assert "No space left" in spool.refusal()
    broken.room = 10
    spool.tick(0.0)
    assert "No space left" in spool.ready()
    broken.room = PLENTY
    spool.tick(1.0)
    assert spool.ready() == spool.refusal() == ""
    keep(spool, range(3, 5))
    spool.close()
    swept = compact(tmp_path)
    assert (swept.damaged, swept.torn) == (0, 0)  # half a record was taken back
    assert ids(tmp_path) == ["e00000", "e00003", "e00004"]
    assert spool.lost == 0


def test_on_a_full_disk_an_open_recorder_answers_and_counts_what_is_lost(
    tmp_path: Path, broken: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    spool = opened(tmp_path, broken, on_failure="open")
    broken.room = 0
    with caplog.at_level(logging.WARNING):
        keep(spool, range(5))
        assert spool.refusal() == ""
        assert "No space left" in spool.ready()
        spool.tick(0.0)
        broken.room = PLENTY
        spool.tick(11.0)
    keep(spool, range(5, 7))
    assert (spool.lost, spool.health.losses, spool.recorded) == (5, {"full": 5}, 2)
    assert [record.message for record in caplog.records] == [
        "recording-stopped", "exchanges-lost", "recording-resumed",
    ]  # fmt: skip
    assert caplog.records[1].lost == 5  # type: ignore[attr-defined]
    spool.close()
    compact(tmp_path)
    assert ids(tmp_path) == ["e00005", "e00006"]


def test_half_a_record_that_cannot_be_taken_back_ends_the_file(tmp_path: Path, broken: Broken) -> None:
    spool = opened(tmp_path, broken, on_failure="open")
    keep(spool, range(1))
    broken.room, broken.cut_error = 100, errno.EIO
    keep(spool, range(1, 2))
    broken.room = PLENTY
    spool.tick(0.0)
    keep(spool, range(2, 4))
    assert len(files(tmp_path / "spool", SPOOL)) == 2
    spool.close()
    swept = compact(tmp_path)
    assert (swept.torn, swept.damaged) == (1, 0)
    assert ids(tmp_path) == ["e00000", "e00002", "e00003"]


def test_a_slow_write_trips_and_a_quick_probe_mends(tmp_path: Path, broken: Broken) -> None:
    spool = opened(tmp_path, broken, slow_seconds=0.5, on_failure="closed")
    broken.seconds = 0.7
    keep(spool, range(1))  # it is kept, and the last one that waits
    assert "0.700 s" in spool.refusal()
    with pytest.raises(RecordingFailed, match="too slow"):
        keep(spool, range(1, 2))
    spool.tick(1.0)
    assert "too slow" in spool.ready()
    broken.seconds = 0.1
    spool.tick(2.0)
    keep(spool, range(2, 3))
    spool.close()
    compact(tmp_path)
    assert ids(tmp_path) == ["e00000", "e00002"]


def test_little_free_space_refuses_new_requests_and_still_keeps_those_under_way(tmp_path: Path, broken: Broken) -> None:
    spool = opened(tmp_path, broken, on_failure="closed", free_bytes=1_000_000)
    assert spool.refusal() == ""
    broken.free = 999_999
    spool.tick(1.0)
    assert "free_bytes" in spool.refusal()
    keep(spool, range(1))
    broken.free = 1_000_000
    spool.tick(2.0)
    assert spool.refusal() == ""
    spool.close()
    compact(tmp_path)
    assert ids(tmp_path) == ["e00000"]


def test_a_worker_that_starts_on_a_full_disk_knows_it(tmp_path: Path, broken: Broken) -> None:
    broken.free = 5
    spool = opened(tmp_path, broken, on_failure="closed", free_bytes=10)
    assert "free_bytes" in spool.refusal()
    spool.close()
    broken.room = 0
    with pytest.raises(UsageError, match="no exchange can be kept there"):
        opened(tmp_path, broken)
    assert [path.name for path in (tmp_path / "spool").iterdir()] == []


def test_every_exchange_is_forced_to_disk_where_that_is_asked(tmp_path: Path, broken: Broken) -> None:
    spool = opened(tmp_path, broken, fsync="every", on_failure="open")
    keep(spool, range(3))
    assert broken.syncs == 3
    broken.sync_error = errno.EIO
    keep(spool, range(3, 4))
    assert (spool.lost, broken.syncs) == (1, 4)
    broken.sync_error = 0
    spool.close()
    compact(tmp_path)
    assert ids(tmp_path) == numbered(range(3))


def test_what_came_in_an_interval_is_forced_together(tmp_path: Path, broken: Broken) -> None:
    spool = opened(tmp_path, broken, fsync="interval", fsync_seconds=5.0)
    now = time.monotonic()
    keep(spool, range(10))
    spool.tick(now + 1)
    assert broken.syncs == 0
    spool.tick(now + 6)
    spool.tick(now + 7)
    assert broken.syncs == 1
    broken.sync_error = errno.EIO
    keep(spool, range(10, 11))
    spool.tick(now + 12)
    assert "cannot be forced" in spool.ready()
    broken.sync_error = 0
    spool.tick(now + 13)
    assert spool.ready() == ""
    assert len(files(tmp_path / "spool", SPOOL)) == 2  # what the disk has of the first is not known
    spool.close()


def test_the_housekeeper_works_by_itself_and_ends_with_the_spool(tmp_path: Path, broken: Broken) -> None:
    spool = opened(tmp_path, broken, fsync="interval", fsync_seconds=0.01).start()
    keep(spool, range(1))
    while not broken.syncs:
        time.sleep(0.005)
    spool.close()
    assert "stillwatch-spool" not in [thread.name for thread in threading.enumerate()]


def test_a_place_that_cannot_be_written_is_misuse_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be kept there"):
        opened(tmp_path / "file")


def test_the_kernels_own_full_device_is_understood(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    real = os.write
    handles: list[int] = []

    def write(handle: int, data: bytes) -> int:
        return real(full if handles else handle, data)

    spool = Spool(settings(tmp_path, on_failure="closed"), Disk(write=write))
    handles.append(full)
    with pytest.raises(RecordingFailed, match="No space left"):
        keep(spool, range(1))
    os.close(full)
    spool.close()


def under_a_limit(folder: Path, limit: int) -> list[str]:
    """Record 200 exchanges where no file may grow past a limit; what is said of each. Run in a process of its own."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    spool = Spool(settings(folder, on_failure="closed"))
    said = []
    for number in range(200):
        try:
            spool.record(arrival(number), ALLOWED, OK)
            said.append("kept")
        except RecordingFailed as error:
            said.append(str(error))
            spool.tick(time.monotonic())
    return said


def in_a_child(code: str, *words: str, before: tuple[str, ...] = ()) -> list[str]:
    text = f"import sys; from pathlib import Path; from tests.apps.gateway.recording.test_spool import *; {code}"
    done = subprocess.run(
        [*before, sys.executable, "-c", text, *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_limit_of_the_system_on_files_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    said = in_a_child("print(*under_a_limit(Path(sys.argv[1]), 9000), sep='\\n')", str(tmp_path))
    assert 10 < said.count("kept") < 190
    assert set(said) == {"kept", "disk cannot be written: File too large"}
    kept = [f"e{number:05d}" for number, words in enumerate(said) if words == "kept"]
    swept = compact(tmp_path)
    assert (swept.damaged, swept.torn) == (0, 0)
    assert ids(tmp_path) == kept


def on_a_small_disk(folder: Path) -> Iterator[str]:
    """Fill a disk, then make room; what happens. Run where a small disk can be mounted."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(folder)], check=True)
    spool = Spool(settings(folder / "log", on_failure="open"))
    weight = folder / "weight"
    weight.write_bytes(b"x" * 60_000)
    keep(spool, range(500))
    first = spool.recorded
    yield f"{first} {spool.lost} {spool.ready()}"
    weight.unlink()
    spool.tick(time.monotonic())
    yield spool.ready() or "ready"
    keep(spool, range(500, 505))
    yield str(spool.recorded - first)
    spool.close()
    held = Path(f"{folder}-held")
    shutil.copytree(folder, held)
    yield str(held)


def test_on_a_real_disk_that_is_full_nothing_is_silent(tmp_path: Path) -> None:
    apart = ("unshare", "--user", "--map-root-user", "--mount")
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here without privileges")
    (tmp_path / "disk").mkdir()
    counts, after, more, held = in_a_child(
        "print(*on_a_small_disk(Path(sys.argv[1])), sep='\\n')", str(tmp_path / "disk"), before=apart
    )
    kept, lost, why = counts.split(" ", 2)
    assert int(kept) + int(lost) == 500
    assert 0 < int(kept) < 500
    assert why == "disk cannot be written: No space left on device"
    assert (after, more) == ("ready", "5")
    swept = compact(Path(held) / "log")
    assert (swept.exchanges, swept.damaged, swept.torn) == (int(kept) + 5, 0, 0)


def test_a_recorder_that_is_closed_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    spool = opened(tmp_path, on_failure="closed")
    spool.close()
    with pytest.raises(RecordingFailed, match="is closed"):
        keep(spool, range(1))
    spool.close()


def test_records_of_the_moment_in_which_a_file_is_ended_are_kept(tmp_path: Path) -> None:
    """Each file has a mark of its own: a record must be framed for the file that it goes to."""
    spool = opened(tmp_path, rotate_bytes=4_096)
    writer = threading.Thread(target=keep, args=(spool, range(3_000)))
    writer.start()
    while writer.is_alive():
        spool.tick(time.monotonic())
    spool.close()
    swept = compact(tmp_path)
    assert (swept.exchanges, swept.damaged, swept.torn) == (3_000, 0, 0)
