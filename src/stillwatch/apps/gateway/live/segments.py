"""The gateway's own log as a source: a folder of Parquet segments, each whole from the moment it has its name.

A segment is read once, by its name: when the recorder later drops the text of one, nothing is read again. `folded` says
which segments detection is done with; from then on their text is of no use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.apps.watch.sources import Batch, Position, SourceLost, Tell
from stillwatch.apps.watch.windows import Grid
from stillwatch.ingest.sources import PARQUET, Origin

SLICE = 64 << 20  # bytes of one batch
FILES = 200  # of one batch
AfterFold = Callable[[Path], None]


def keep_text(_: Path) -> None:
    """Leave a segment as it is."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Segments that were read and are still there: the end of each one's last window, and why some are set aside."""

    ends: dict[str, int]
    refused: dict[str, str]


@dataclass
class Segments:
    """Every `*.parquet` in and below a folder whose name begins with no dot, in the order of names.

    `after_fold` is called once for each segment whose exchanges are all folded, again after a restart: it must bear to
    be called twice.
    """

    folder: Path
    grid: Grid
    after_fold: AfterFold = keep_text
    tell: Tell = lambda _: None
    name: str = "gateway"
    _ends: dict[str, int] = field(default_factory=dict)  # segment → end of the last window that it has rows for
    _told: set[str] = field(default_factory=set)

    def sweep(self, position: Position, now: int, /) -> Iterator[Batch]:
        """Yield the segments that were not read yet."""
        there = self._there()
        ends: dict[str, int] = {name: end for name, end in position.get("files", {}).items() if name in there}
        refused: dict[str, str] = {name: why for name, why in position.get("refused", {}).items() if name in there}
        self._ends = {name: end for name, end in ends.items() if name not in refused}
        self._told &= there.keys()
        known = _Known(ends, refused)
        held: list[str] = []
        for name in sorted(there.keys() - ends.keys()):
            held.append(name)
            if len(held) >= FILES or sum(there[each] for each in held) >= SLICE:
                yield self._batch(held, known, now)
                held = []
        if held:
            yield self._batch(held, known, now)

    def read_until(self, now: int, /) -> int:
        """Everything that had its name when the sweep began is read; what is still written comes late."""
        return now

    def unsettled(self) -> bool:
        """A segment that has its name is whole."""
        return False

    def folded(self, until: int, waiting: bool) -> None:
        """Hand on the segments that are folded once windows up to `until` are; `waiting`: some rows wait for others."""
        for name, end in sorted(self._ends.items()):
            if name in self._told or (waiting and end > until):
                continue
            try:
                self.after_fold(self.folder / name)
                self._told.add(name)
            except OSError as error:  # tried again with the next window
                self.tell(f"{name}: its text could not be dropped ({error.strerror or type(error).__name__})")

    def _there(self) -> dict[str, int]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            found: dict[str, int] = {}
            for path in self.folder.rglob("*.parquet"):
                name = path.relative_to(self.folder)
                if not any(part.startswith(".") for part in name.parts):
                    found[str(name)] = os.stat(path).st_size
            return found
        except FileNotFoundError:  # moved away while it was listed: the next sweep sees it where it is
            return {}
        except OSError as error:
            raise SourceLost(f"{self.folder}: cannot be read ({error.strerror or type(error).__name__})") from error

    def _batch(self, names: Sequence[str], known: _Known, now: int) -> Batch:
        origins = tuple(Origin(name, self.folder / name, PARQUET) for name in names)
        last = {name: self._last_window(self.folder / name, now) for name in names}

        def after(refused: Mapping[str, str]) -> Position:
            for name in sorted(refused):
                self.tell(f"{name}: set aside: {refused[name]}")
            known.ends.update(last)
            known.refused.update(refused)
            self._ends.update({name: end for name, end in last.items() if name not in refused})
            return {"files": dict(known.ends), "refused": dict(known.refused)}

        return Batch(origins, after)

    def _last_window(self, path: Path, now: int) -> int:
        """The end of the last window that rows of a segment can fall into (`windows.Moment`)."""
        try:
            times = pq.read_table(path, columns=["ts"])["ts"].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
            latest = int(times.to_numpy().max()) if len(times) else now
        except (OSError, ValueError, KeyError):
            latest = now
        latest = now if latest > now + self.grid.lateness else latest
        return max(self.grid.end(latest), self.grid.end(now - self.grid.lateness))
