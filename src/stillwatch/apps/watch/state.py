"""What a watcher remembers: one small file, replaced whole. What it does not name does not count.

Every other file in the folder is written first and named here afterwards, so that a kill at any moment leaves a state
that was true once, with the position that belongs to it.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.apps.watch.disk import replace_whole
from stillwatch.model import InputRefused, UsageError

FORMAT = 1
FILE = "state.json"
FOLDERS = ("spool", "segments", "steps", "scratch")


@dataclass(frozen=True, slots=True)
class Spooled:
    """Judged rows that wait for their windows. `first` is not after the earliest end of these, `last` is the latest."""

    number: int
    first: int
    last: int
    rows: int
    late: int = 0
    rejected: int = 0

    @property
    def name(self) -> str:
        """Of its file."""
        return f"spool/{self.number:08d}.parquet"


@dataclass(frozen=True, slots=True)
class Segment:
    """The rows of one window, or of several that were closed at once: `since` to `until`. Never written again."""

    number: int
    since: int
    until: int
    rows: int
    late: int
    rejected: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"segments/{self.number:06d}.parquet"


@dataclass(frozen=True, slots=True)
class State:
    """Where each source was read to, what waits, what was closed, and which segments were concluded and published."""

    positions: Mapping[str, Any] = field(default_factory=dict)
    spool: tuple[Spooled, ...] = ()
    segments: tuple[Segment, ...] = ()
    closed: int | None = None  # end of the last closed window
    spooled: int = 0  # number of the last spool file
    concluded: int = 0  # number of the last segment over which was concluded
    published: int = 0

    def pending(self) -> tuple[Segment, ...]:
        """Segments over which nothing was concluded yet."""
        return tuple(each for each in self.segments if each.number > self.concluded)


class Store:
    """The folder of a state."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where there is none. Raises UsageError for a folder that holds something else."""
        self.folder = folder
        if (
            folder.exists()
            and not (folder / FILE).exists()
            and set(_names(folder)) - {*FOLDERS, "lock", f".{FILE}.new"}
        ):
            raise UsageError(f"{folder}: holds no state of a watcher, but something else; give --state a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # it holds prompts
        for name in FOLDERS:
            (folder / name).mkdir(exist_ok=True)

    @property
    def scratch(self) -> Path:
        """For what is needed while one batch is read."""
        return self.folder / "scratch"

    def path(self, what: Spooled | Segment) -> Path:
        """The file of judged rows."""
        return self.folder / what.name

    def rejected(self, what: Spooled | Segment) -> Path:
        """The file of what was left out of them; there is none when nothing was."""
        return self.path(what).with_suffix(".rejected.parquet")

    def step(self, number: int) -> Path:
        """The folder of what was concluded up to a segment."""
        return self.folder / "steps" / f"{number:06d}"

    def load(self) -> State:
        """Return the state as it was last committed. Raises InputRefused when it is damaged."""
        path = self.folder / FILE
        if not path.exists():
            return State()
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            if held.pop("format") != FORMAT:
                raise UsageError(f"{path}: was written by another version of stillwatch; give --state a new folder")
            spool = tuple(Spooled(**each) for each in held.pop("spool"))
            return State(spool=spool, segments=tuple(Segment(**each) for each in held.pop("segments")), **held)
        except (ValueError, KeyError, TypeError) as error:
            raise InputRefused(f"{path}: is damaged; give --state a new folder, which reads the log again") from error

    def commit(self, state: State) -> State:
        """Make this the state: from here on a restart goes on from it."""
        text = json.dumps({"format": FORMAT} | dataclasses.asdict(state), ensure_ascii=False)
        replace_whole(self.folder / FILE, text.encode())
        return state

    def clear(self, state: State) -> None:
        """Remove what a state does not name: what was left by a kill, or is not needed any more."""
        held: list[Spooled | Segment] = [*state.spool, *state.segments]
        named = {path for each in held for path in (self.path(each), self.rejected(each))}
        for folder in ("spool", "segments"):
            for path in (self.folder / folder).iterdir():
                if path not in named:
                    path.unlink()
        for path in (self.folder / "steps").iterdir():
            if path != self.step(state.concluded):
                shutil.rmtree(path)
        for path in self.scratch.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else [folder.name]
