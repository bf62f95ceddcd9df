"""How an index gets from the watcher to the workers: a folder for each version, and one small file that names the last.

A folder is written under another name and renamed, the file that names it is replaced whole: a worker sees the old
index or the new one. It goes on with the old one, whose files stay mapped, until its last request is over.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.apps.disk import settle
from stillwatch.apps.gateway.live.index import NUMBERS, Index, read_about
from stillwatch.apps.watch.disk import replace_whole
from stillwatch.model import InputRefused, StillwatchError
from stillwatch.sketch.one import FixedCounts, Sketcher
from stillwatch.sketch.text import SketchKey

PUBLISHED = "published.json"
KEPT = 2  # versions: a worker may have read the last name, and not yet opened its files
Tell = Callable[[str], None]


def publish(made: Path, root: Path, now: int) -> None:
    """Publish the index in a folder, which may be removed afterwards. `now`: µs since 1970. Doing it twice is once."""
    about = read_about(made)
    root.mkdir(parents=True, exist_ok=True)
    here = root / f"{about['version']:06d}"
    for left in root.glob(".*-partial"):
        shutil.rmtree(left)
    if not here.exists():
        partial = root / f".{here.name}-partial"
        partial.mkdir()
        for path in sorted(made.iterdir()):
            _link_or_copy(path, partial / path.name)
        settle(partial)
        partial.rename(here)
    told = {name: about[name] for name in NUMBERS}
    told |= {"folder": here.name, "campaigns": len(about["campaigns"]), "published": now}
    told |= {"delay_seconds": round((now - about["until"]) / 1e6, 3)}
    replace_whole(root / PUBLISHED, (json.dumps(told) + "\n").encode())
    for old in sorted(path for path in root.iterdir() if path.name.isdigit() and path != here)[: -(KEPT - 1)]:
        shutil.rmtree(old)


def read_published(root: Path) -> dict[str, Any] | None:
    """What was published last: version, windows, delay; None before the first time. Raises InputRefused."""
    try:
        told: dict[str, Any] = json.loads((root / PUBLISHED).read_text(encoding="utf-8"))
        return told
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputRefused(f"{root / PUBLISHED}: is damaged ({type(error).__name__})") from error


@dataclass(frozen=True, slots=True)
class Known:
    """What a worker decides by at one moment: an index, and the sketcher of the counts that it was made with."""

    index: Index
    sketcher: Sketcher = field(repr=False)


class Follower:
    """A worker's view of the last publication. `check` looks for a newer one; whoever holds `known` keeps the older."""

    def __init__(self, root: Path, key: SketchKey, tell: Tell = lambda _: None) -> None:
        self.root, self.key = root, key
        self.known = Known(Index(), Sketcher(key, FixedCounts.nothing(key)))
        self.failures = 0  # looks at a publication that could not be read; the last good one stays
        self._tell = tell
        self._seen: tuple[int, int] | None = None
        self._said = ""

    @property
    def failing(self) -> bool:
        """Whether the newest publication could not be read at the last look."""
        return bool(self._said)

    def check(self) -> bool:
        """Take a newer publication where there is one; return whether there was. Never raises."""
        try:
            looked = os.stat(self.root / PUBLISHED)
            mark = (looked.st_ino, looked.st_mtime_ns)
            if mark == self._seen:
                return False
            told = read_published(self.root)
            if told is None:
                return False
            self.known = self._open(self.root / told["folder"])
            self._seen, self._said = mark, ""
            return True
        except FileNotFoundError:
            return False
        except (StillwatchError, OSError, KeyError, TypeError, ValueError) as error:
            self.failures += 1
            if str(error) != self._said:
                self._said = str(error)
                self._tell(f"{self.root}: the last good index stays: {error}")
            return False

    @contextmanager
    def following(self, seconds: float = 1.0) -> Iterator[Follower]:
        """Check in a thread of its own while the block runs, so that no request waits for a new index."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(seconds):
                self.check()

        self.check()
        thread = threading.Thread(target=work, name="stillwatch-index", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()

    def _open(self, folder: Path) -> Known:
        counts = FixedCounts.map(folder, self.key)
        counts.touch()
        return Known(Index.map(folder, self.key), Sketcher(self.key, counts))


def _link_or_copy(source: Path, target: Path) -> None:
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)
