"""What a deployment has seen so far, on disk: a new window is folded in without reading the earlier ones again.

A state is a folder: the sketches of each window's exchanges, the tallies of all of them, and how often each piece of
text was seen. No text is in it. A fold makes a new folder out of the last one and of the window, and leaves the last
one as it was: whoever is killed in between begins again from there.

A window's prompts are keyed by what was seen up to its end. So a state of many windows is what the same windows give
when folded one after the other, whoever folds them and when, and it differs from one reading of everything only in
templates that the first windows saw too seldom to know.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow.parquet as pq

from stillwatch.apps.disk import alone_in, settle
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.records import Ingested
from stillwatch.model import InputRefused, UsageError
from stillwatch.sketch.exchanges import MANY, Learned, SketchedExchanges, shape, sketch_exchanges
from stillwatch.sketch.tallies import TALLIES, merge
from stillwatch.sketch.text import SketchKey

FORMAT = 2
FORMATS = (1, FORMAT)  # that are read: in the first one each window has a file of its own
ABOUT = "state.json"
WINDOWS_IN_A_LOG = 30  # a state is made for so many windows like its first one
MANY_FILES = 32  # small ones at the end: they become one, or a window a minute would leave a thousand files a day
SMALL = 1_000_000  # exchanges: a larger file is not written again


@dataclass(frozen=True, slots=True)
class About:
    """What a state holds: columns that its windows had, and for each window the exchanges it added and repeated.

    `files` has the number of the first window that each file of exchange sketches holds, ascending.
    """

    present: frozenset[str]
    windows: tuple[dict[str, int], ...]
    files: tuple[int, ...] = ()

    @property
    def exchanges(self) -> int:
        """Exchanges folded in so far."""
        return sum(window["exchanges"] for window in self.windows)

    def write(self, folder: Path) -> None:
        """Write it as JSON."""
        told = {"format": FORMAT, "present": sorted(self.present), "windows": list(self.windows)}
        told["files"] = list(self.files)
        (folder / ABOUT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> About:
        """Read it back. Raises InputRefused for what is no state of this version."""
        try:
            told: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            if told["format"] not in FORMATS:
                raise ValueError(f"format {told['format']}")
            windows = tuple(told["windows"])
            return cls(frozenset(told["present"]), windows, tuple(told.get("files", range(len(windows)))))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputRefused(f"{folder}: holds no state of this version ({error}); give a new folder") from None


def fold_window(
    engine: Engine, log: Ingested, key: SketchKey, before: Path | None, here: Path
) -> tuple[SketchedExchanges, Learned, About]:
    """Fold a window's exchanges into the state `before` (None: the first), as a new state in the empty folder `here`.

    Exchanges that an earlier window had, by `exchange_id`, are left out and counted. Returns the sketches and tallies
    of all windows, the counts they were keyed by, and what the state now holds. Raises UsageError where the state was
    made with another secret.
    """
    about = About(frozenset(), ()) if before is None else About.read(before)
    learned = _begin(key, log.rows_kept) if before is None else Learned.load(before, key)
    files = () if before is None else _bring(engine, before, here, about.files)
    table, repeated = _unseen(engine, log.table, [here / _window(number) for number in files])
    new = Ingested(table, log.present, log.rows_read, log.rows_kept - repeated, log.rejected, log.inputs, log.named)
    number = len(about.windows)
    path = here / _window(number)
    sketched, learned = sketch_exchanges(engine, new, key, learned, into=path)
    old = [] if before is None else [_tallies(engine, before)]
    for name, expr in merge([*old, sketched.tallies]).items():
        engine.write(expr, here / f"{name}.parquet")
    learned.save(here)
    window = {"exchanges": _rows(path), "repeated": repeated}
    about = About(about.present | log.present, (*about.windows, window), (*files, number))
    about.write(here)
    settle(here)
    return open_state(engine, here), learned, about


def open_state(engine: Engine, folder: Path) -> SketchedExchanges:
    """Return the sketches and tallies of all windows of a state; nothing is read before it is asked for."""
    about = About.read(folder)
    rows = engine.read([folder / _window(number) for number in about.files])
    return SketchedExchanges(shape(rows), about.present, _tallies(engine, folder))


@contextmanager
def next_state(root: Path) -> Iterator[tuple[Path | None, Path]]:
    """Yield the folder of the last state under `root`, None at first, and an empty one for the next.

    The next one counts when the block ends well, and the last one is removed. One process at a time works on a root.
    Raises UsageError where `root` holds something else.
    """
    root.mkdir(parents=True, exist_ok=True)
    with alone_in(root):
        found = sorted(path for path in root.iterdir() if path.name.isdigit())
        foreign = [path.name for path in root.iterdir() if not path.name.lstrip(".").split("-")[0].isdigit()]
        if foreign:
            raise UsageError(f"--state {root}: holds {foreign[0]}, which is no part of a state; give a new folder")
        last = found[-1] if found else None
        name = f"{int(last.name) + 1 if last else 1:06d}"
        for left in (*root.glob(".*-partial"), *found[:-1]):
            shutil.rmtree(left)  # a killed run's
        here = root / f".{name}-partial"
        here.mkdir()
        yield last, here
        here.rename(root / name)
        settle(root)
        if last is not None:
            shutil.rmtree(last)


def _begin(key: SketchKey, exchanges: int) -> Learned:
    return Learned.nothing(key, min(exchanges * WINDOWS_IN_A_LOG, MANY + 1))


def _window(number: int) -> str:
    return f"window-{number:05d}.parquet"


def _bring(engine: Engine, before: Path, here: Path, files: tuple[int, ...]) -> tuple[int, ...]:
    """Let the new state have the earlier windows too; return the numbers of its files.

    They are the same files under a second name, where the disk can; many small ones are written as one, row for row.
    """
    small = [number for number in reversed(files) if _rows(before / _window(number)) < SMALL]
    small = sorted(small) if len(small) >= MANY_FILES else []
    if small:
        engine.write(engine.read([before / _window(number) for number in small]), here / _window(small[0]))
    whole = [number for number in files if number not in small]
    for number in whole:
        try:
            os.link(before / _window(number), here / _window(number))
        except OSError:
            shutil.copyfile(before / _window(number), here / _window(number))
    return tuple(sorted([*whole, *small[:1]]))


def _rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _unseen(engine: Engine, table: ir.Table, earlier: list[Path]) -> tuple[ir.Table, int]:
    """Leave out exchanges that earlier windows had."""
    if not earlier:
        return table, 0
    seen = engine.read(earlier).select("exchange_id")
    repeated = engine.keep("repeated", seen.semi_join(table, "exchange_id"))
    count = int(engine.arrow(repeated.aggregate(count=repeated.count()))["count"][0].as_py())
    return (engine.view("unseen", table.anti_join(repeated, "exchange_id")), count) if count else (table, 0)


def _tallies(engine: Engine, folder: Path) -> dict[str, ir.Table]:
    return {each.name: engine.read([folder / f"{each.name}.parquet"]) for each in TALLIES}
