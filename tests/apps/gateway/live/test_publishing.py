"""A worker sees the old index or the new one, whole; whoever holds the old one goes on with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stillwatch.apps.gateway.live import publishing
from stillwatch.apps.gateway.live.index import Index
from stillwatch.apps.gateway.live.publishing import Follower, publish, read_published
from stillwatch.model import InputRefused
from stillwatch.sketch.one import write_counts
from stillwatch.sketch.templates import TemplateCounts
from stillwatch.sketch.text import SketchKey
from tests.apps.gateway.live.small import KEY, NAMER, NOW, index, names


def made(folder: Path, version: int) -> Path:
    """A folder as a step of the watcher leaves it; each version knows one frame, its number."""
    folder.mkdir()
    index([("frame", version, 0)], version=version, windows=version).write(folder, KEY)
    write_counts(TemplateCounts(KEY, 10), TemplateCounts(KEY, 10), folder)
    return folder


def knows(held: Index, frame: int) -> bool:
    return held.match(names(("frame", frame)), NAMER("account", "x"), NOW) is not None


def test_two_workers_see_a_swap_and_a_request_that_began_before_it_keeps_the_old_index(tmp_path: Path) -> None:
    root = tmp_path / "index"
    workers = [Follower(root, KEY), Follower(root, KEY)]
    assert [worker.check() for worker in workers] == [False, False]
    publish(made(tmp_path / "one", 1), root, NOW + 5_000_000)
    assert [worker.check() for worker in workers] == [True, True]
    began = workers[0].known
    for version in (2, 3, 4):
        publish(made(tmp_path / str(version), version), root, NOW)
    assert [worker.check() for worker in workers] == [True, True]
    assert all(knows(worker.known.index, 4) and not knows(worker.known.index, 1) for worker in workers)
    assert not (root / "000001").exists()
    assert knows(began.index, 1)  # its files are gone, and stay mapped
    assert began.sketcher("why?", None).fill_hash
    assert [worker.check() for worker in workers] == [False, False]


def test_what_is_published_names_version_windows_and_delay(tmp_path: Path) -> None:
    assert read_published(tmp_path) is None
    publish(made(tmp_path / "one", 1), tmp_path / "index", NOW + 2_500_000)
    told = read_published(tmp_path / "index")
    assert told is not None
    assert (told["version"], told["windows"], told["folder"]) == (1, 1, "000001")
    assert (told["until"], told["published"], told["delay_seconds"]) == (NOW, NOW + 2_500_000, 2.5)


def test_publishing_twice_is_publishing_once(tmp_path: Path) -> None:
    root, step = tmp_path / "index", made(tmp_path / "one", 1)
    publish(step, root, NOW)
    publish(step, root, NOW + 1)
    assert sorted(path.name for path in root.iterdir()) == ["000001", "published.json"]


def test_what_is_published_outlives_the_folder_it_was_made_in(tmp_path: Path) -> None:
    step = made(tmp_path / "one", 1)
    publish(step, tmp_path / "index", NOW)
    shutil.rmtree(step)
    follower = Follower(tmp_path / "index", KEY)
    assert follower.check()
    assert knows(follower.known.index, 1)


def test_a_publisher_killed_at_any_step_leaves_the_old_index_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, follower = tmp_path / "index", Follower(tmp_path / "index", KEY)
    publish(made(tmp_path / "one", 1), root, NOW)
    follower.check()
    second = made(tmp_path / "two", 2)
    for name in ("settle", "replace_whole"):
        with monkeypatch.context() as patched:

            def die(*_: object) -> None:
                raise KeyboardInterrupt

            patched.setattr(publishing, name, die)
            with pytest.raises(KeyboardInterrupt):
                publish(second, root, NOW)
        assert not follower.check()
        assert knows(follower.known.index, 1)
    publish(second, root, NOW)
    assert follower.check()
    assert knows(follower.known.index, 2)


def test_an_index_that_cannot_be_read_is_said_once_and_the_last_good_one_stays(tmp_path: Path) -> None:
    said: list[str] = []
    root = tmp_path / "index"
    follower = Follower(root, KEY, said.append)
    publish(made(tmp_path / "one", 1), root, NOW)
    follower.check()
    publish(made(tmp_path / "two", 2), root, NOW)
    (root / "000002" / "names.npy").unlink()
    assert not follower.check()
    assert not follower.check()
    assert (len(said), follower.failures) == (1, 2)
    assert knows(follower.known.index, 1)
    (root / "published.json").write_text("{")
    assert not follower.check()
    with pytest.raises(InputRefused, match="damaged"):
        read_published(root)
    publish(made(tmp_path / "three", 3), root, NOW)
    assert follower.check()


def test_an_index_of_another_secret_is_refused(tmp_path: Path) -> None:
    said: list[str] = []
    publish(made(tmp_path / "one", 1), tmp_path / "index", NOW)
    follower = Follower(tmp_path / "index", SketchKey.from_secret(b"other"), said.append)
    assert not follower.check()
    assert "another secret" in said[0]
    assert follower.known.index.version == 0


def test_a_thread_follows_while_the_block_runs(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "index", KEY)
    with follower.following(seconds=0.01):
        publish(made(tmp_path / "one", 1), tmp_path / "index", NOW)
        for _ in range(2_000):
            if follower.known.index.version:
                break
            follower_waits()
        assert follower.known.index.version == 1
    publish(made(tmp_path / "two", 2), tmp_path / "index", NOW)
    follower_waits()
    assert follower.known.index.version == 1


def follower_waits() -> None:
    import time

    time.sleep(0.02)
