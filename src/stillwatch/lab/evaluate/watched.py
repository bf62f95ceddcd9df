"""A log of the lab fed to `stillwatch watch` by its own time: what the watcher says at the end of any hour.

The clock is the log's. Each window is closed, concluded and published by the watcher itself, on from a copy of the
state of the nearest window before it; the copies share their segments, which are never written again.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import stillwatch as sw
from stillwatch.apps.watch.concluding import way_to_conclude
from stillwatch.apps.watch.outages import Outages
from stillwatch.apps.watch.sources import Batch, Position
from stillwatch.apps.watch.state import Store
from stillwatch.apps.watch.watcher import Plan, Watcher
from stillwatch.apps.watch.windows import HOUR, Grid
from stillwatch.ingest.sources import PARQUET, Origin
from stillwatch.lab.evaluate.bench import named
from stillwatch.lab.evaluate.replay import Conclusion
from stillwatch.lab.evaluate.tables import Tables


@dataclass
class Rows:
    """A source that gives the rows after its position, and before a moment, as they were known then."""

    exchanges: pa.Table
    scratch: Path
    name: str = "replay"

    def sweep(self, position: Position, now: int, /) -> Iterator[Batch]:
        """Yield the rows that came since the last sweep."""
        ts = pc.cast(self.exchanges["ts"], pa.int64())
        rows = self.exchanges.filter(pc.and_(pc.greater_equal(ts, position.get("until", 0)), pc.less(ts, now)))
        path = self.scratch / "rows.parquet"
        pq.write_table(rows, path)

        def after(_: Mapping[str, str]) -> Position:
            return {"until": now}

        yield Batch((Origin("replay", path, PARQUET),), after)
        path.unlink()

    def read_until(self, now: int, /) -> int:
        """Nothing comes late."""
        return now

    def unsettled(self) -> bool:
        """Nothing is half written."""
        return False


@dataclass
class Watched:
    """What the watcher concludes at the end of an hour. `delays` are the seconds from there to the verdicts."""

    folder: Path
    say: Callable[[str], None] = lambda _: None
    delays: list[float] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)

    def __call__(self, window: Tables, end: int) -> list[Conclusion]:
        """Let the watcher go on to `end` (µs, a full hour), with the accounts as they were known then."""
        self.say(f"watching up to {window.exchanges.num_rows:,} exchanges, window {len(self._ends) + 1}")
        store = Store(self._go_on(end))
        # no lateness: a row of the lab is there as soon as it is sent; what lies between two windows closes as one
        plan = Plan(
            (Rows(window.exchanges, store.scratch),),
            way_to_conclude(window.accounts, window.licences, sw.Settings(scratch=store.scratch)),
            store.folder.with_name(f"{store.folder.name}-out"),
            grid=Grid(HOUR, 0),
            behind=1,
        )
        began = time.perf_counter()
        watcher = Watcher(plan, store, lambda: end + round(1e6 * (time.perf_counter() - began)))
        found = list(watcher.sweep(end, Outages(HOUR)))
        self.delays += [each.delay for each in found]
        if not store.load().concluded:
            return []
        return named(sw.read_run(store.step(store.load().concluded) / "run"))

    def _go_on(self, end: int) -> Path:
        """A copy of the state of the last window before `end`."""
        before = max((each for each in self._ends if each <= end), default=None)
        folder = self.folder / f"{end}-{len(self._ends)}"
        if before is not None:
            at = self._ends.index(before)
            shutil.copytree(self.folder / f"{before}-{at}", folder, copy_function=_link_or_copy)
        self._ends.append(end)
        return folder


def _link_or_copy(source: str, target: str) -> None:
    if Path(source).parent.name == "segments":
        os.link(source, target)
    else:
        shutil.copy2(source, target)
