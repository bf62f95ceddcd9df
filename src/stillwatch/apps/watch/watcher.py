"""One sweep: read what is new, close the windows that are over, conclude, publish.

What stands left is on the disk before what stands right is committed (docs/why/022-what-a-kill-cannot-break.md):
rows in the spool ─► position; rows in a segment ─► window closed; run in a step ─► concluded; run at OUT ─► published.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.apps.output import copy_run, write_run
from stillwatch.apps.run import Run
from stillwatch.apps.watch.closing import close, gather
from stillwatch.apps.watch.concluding import Conclude, Step, with_rejections
from stillwatch.apps.watch.outages import Outages
from stillwatch.apps.watch.reading import Reader, spool
from stillwatch.apps.watch.sources import Source, SourceLost, refusals
from stillwatch.apps.watch.state import Segment, State, Store
from stillwatch.apps.watch.windows import Grid, Moment, together
from stillwatch.ingest.engine import Engine

BEHIND = 24  # windows that wait before they are concluded at once: a day of hours after a stop still goes hour by hour


@dataclass(frozen=True, slots=True)
class Plan:
    """What to watch and how. Times are µs."""

    sources: tuple[Source, ...]
    conclude: Conclude
    out: Path
    fields: Mapping[str, str] = field(default_factory=dict)
    grid: Grid = field(default_factory=Grid)
    keep: int | None = None  # how long segments stay, behind the end of the newest; 0: until they are concluded
    behind: int = BEHIND
    also: Callable[[Path, int], None] = lambda _step, _now: (
        None
    )  # publishes what else a step's folder holds; repeatable
    threads: int = 2
    memory: str = "1536MB"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What came of one segment. `published` is when its run stood at OUT, in µs."""

    segment: Segment
    run: Run = field(repr=False)
    published: int
    waiting: bool = False  # rows that were read, for windows that are still open

    @property
    def delay(self) -> float:
        """Seconds from the window's end to its verdicts."""
        return (self.published - self.segment.until) / 1e6


class Watcher:
    """A state folder at work. Only one may work on it at a time (`disk.alone_in`)."""

    def __init__(self, plan: Plan, store: Store, clock: Callable[[], int]) -> None:
        """Go on from the last committed state; whatever a kill left beside it is removed."""
        self.plan, self.store, self.clock = plan, store, clock
        self.state = store.load()
        store.clear(self.state)
        if self.state.published < self.state.concluded:
            self._publish()

    def sweep(self, now: int, outages: Outages) -> Iterator[Verdicts]:
        """Read every source up to this moment and yield the verdicts of each window that is over.

        A source that does not answer is told to `outages` and left alone for a while; the others are read.
        """
        yield from self.conclude_pending()
        read_until = now
        for source in self.plan.sources:
            if outages.resting(source.name, now):
                continue
            try:
                self._read(source, now)
            except SourceLost as error:
                outages.lost(source.name, error, now)
            else:
                outages.answered(source.name)
                read_until = min(read_until, source.read_until(now))
        self._close_due(now, read_until)
        yield from self.conclude_pending()

    def conclude_pending(self) -> Iterator[Verdicts]:
        """Conclude over each segment that was closed, in turn."""
        for segment in self.state.pending():
            run = self._conclude(segment)
            self._publish()
            yield Verdicts(segment, run, self.clock(), bool(self.state.spool))

    def _read(self, source: Source, now: int) -> None:
        reader = Reader(self._engine, self.plan.fields)
        for batch in source.sweep(self.state.positions.get(source.name, {}), now):
            number = self.state.spooled + 1
            at = (number, self.store.folder / "spool" / f"{number:08d}.parquet")
            found, refused = spool(batch, Moment(self.plan.grid, now, self.state.closed), reader, at)
            positions = {**self.state.positions, source.name: batch.after(refused)}
            held = self.state.spool if found is None else (*self.state.spool, found)
            self._commit(dataclasses.replace(self.state, positions=positions, spool=held, spooled=number))
        gathered = gather(self.state, self.store, self._engine)
        if gathered is not None:
            self._commit(gathered)
            self.store.clear(self.state)

    def _close_due(self, now: int, read_until: int) -> None:
        waiting = self._windows_waiting()
        for ends in together(self.plan.grid.due(waiting, now, read_until), self.plan.behind):
            self._commit(close(self.state, self.store, self.plan.grid, ends, self._engine))
            self.store.clear(self.state)

    def _windows_waiting(self) -> set[int]:
        ends: set[int] = set()
        for each in self.state.spool:
            if each.first == each.last:
                ends.add(each.first)
            else:
                found = pq.read_table(self.store.path(each), columns=["_until"])["_until"].unique().to_pylist()
                ends |= {end for end in found if end >= each.first}
        return ends

    def _conclude(self, segment: Segment) -> Run:
        last, here = self.store.step(self.state.concluded), self.store.step(segment.number)
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir()
        every = [each for each in self._kept(segment) if each.number <= segment.number] or [segment]  # keep=0: none
        paths = tuple(self.store.path(each) for each in every)
        run = self.plan.conclude(Step(paths[-1], paths, last if last.exists() else None, here, segment))
        parts = [pq.read_table(self.store.rejected(each)) for each in every if each.rejected]
        run = with_rejections(run, parts, refusals(self.state.positions))
        write_run(run, here / "run")
        self._commit(dataclasses.replace(self.state, segments=self._kept(segment), concluded=segment.number))
        return run

    def _kept(self, newest: Segment) -> tuple[Segment, ...]:
        """Segments that are not too old when a segment is concluded."""
        if self.plan.keep is None:
            return self.state.segments
        return tuple(each for each in self.state.segments if each.until > newest.until - self.plan.keep)

    def _publish(self) -> None:
        step = self.store.step(self.state.concluded)
        copy_run(step / "run", self.plan.out)
        self.plan.also(step, self.clock())
        self._commit(dataclasses.replace(self.state, published=self.state.concluded))
        self.store.clear(self.state)

    def _commit(self, state: State) -> None:
        self.state = self.store.commit(state)

    def _engine(self) -> Engine:
        return Engine(self.store.scratch, threads=self.plan.threads, memory=self.plan.memory)
