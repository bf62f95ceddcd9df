"""The gateway's watcher: each window folds the new exchanges into the state, and publishes what follows from them.

It is `stillwatch watch --fold` with a minute's windows over the gateway's own segments. Added is what else it leaves
behind: the index that workers match against, the verdicts in the control plane, and segments whose text may go.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import stillwatch as sw
from stillwatch.apps.detect import Examined, Look
from stillwatch.apps.gateway.live.indicators import Window, index_of
from stillwatch.apps.gateway.live.publishing import publish
from stillwatch.apps.gateway.live.segments import AfterFold, Segments, keep_text
from stillwatch.apps.run import Run
from stillwatch.apps.watch.concluding import Step, by_the_new_segment
from stillwatch.apps.watch.loop import Surroundings, forever, once, stopping
from stillwatch.apps.watch.state import Store
from stillwatch.apps.watch.watcher import Plan, Verdicts
from stillwatch.apps.watch.windows import SECOND, Grid
from stillwatch.ingest.engine import Engine
from stillwatch.model import InputRefused
from stillwatch.sketch.exchanges import Learned
from stillwatch.sketch.one import write_counts

INDEX, STATE, RUN = "index", "state", "run"
EVERY, LATENESS, POLL = 60 * SECOND, 20 * SECOND, 5 * SECOND
Record = Callable[[Run], None]
Tables = Callable[[], Any]  # what `detect` takes as accounts or licences, asked for at each window


def _no_table() -> None:
    return None


def _record_nothing(_: Run) -> None:
    pass


@dataclass(frozen=True, slots=True)
class LivePlan:
    """What the gateway's watcher reads, where it leaves things, and whom it tells. Times are µs."""

    segments: Path  # the recorder's folder
    state: Path  # the watcher's own; it holds text until the window is folded
    out: Path  # the run, as `detect` writes it
    index: Path  # what workers follow
    accounts: Tables = _no_table
    licences: Tables = _no_table
    record: Record = _record_nothing  # verdicts to the control plane; repeated when a watcher was killed meanwhile
    after_fold: AfterFold = keep_text  # text of a segment is of no use any more
    settings: sw.Settings = field(default_factory=sw.Settings)
    every: int = EVERY
    lateness: int = LATENESS


def prepare(live: LivePlan, tell: Callable[[str], None] = lambda _: None) -> tuple[Plan, Store, Segments]:
    """Return the plan, its state folder and its source, as `apps.watch` runs them."""
    store, grid = Store(live.state), Grid(live.every, live.lateness)
    source = Segments(live.segments, grid, live.after_fold, tell)
    settings = replace(live.settings, scratch=live.settings.scratch or store.scratch)

    def conclude(step: Step) -> Run:
        fold = by_the_new_segment(live.accounts(), live.licences(), settings, _index_beside)
        return fold(step)

    def also(step: Path, now: int) -> None:
        if (step / INDEX).is_dir():
            publish(step / INDEX, live.index, now)
        live.record(sw.read_run(step / RUN))

    # keep=0: a segment is text, and goes as soon as it is folded. behind=1: who is late takes all that waits at once.
    plan = Plan((source,), conclude, live.out, grid=grid, keep=0, behind=1, also=also)
    return plan, store, source


def this_world(tell: Callable[[str], None], verdicts: Callable[[Verdicts], None] = lambda _: None) -> Surroundings:
    """Return the machine's clock, for a watcher that runs for real."""
    return Surroundings(lambda: time.time_ns() // 1_000, lambda wait: time.sleep(wait / SECOND), verdicts, tell)


def watch_gateway(live: LivePlan, world: Surroundings, poll: int = POLL) -> None:
    """Watch until told to stop (SIGTERM, SIGINT)."""
    plan, store, source = prepare(live, world.tell)
    with stopping():
        forever(plan, store, _telling(world, source), poll)


def watch_gateway_once(live: LivePlan, world: Surroundings) -> None:
    """Take what is there, close the windows that are over, and return."""
    plan, store, source = prepare(live, world.tell)
    once(plan, store, _telling(world, source))


def _telling(world: Surroundings, source: Segments) -> Surroundings:
    def verdicts(each: Verdicts) -> None:
        source.folded(each.segment.until, each.waiting)
        world.verdicts(each)

    return replace(world, verdicts=verdicts)


def _index_beside(step: Step) -> Look:
    """Write the index that a step's run leads to beside it, with the counts that the step's prompts were keyed by."""

    def look(engine: Engine, seen: Examined, run: Run) -> None:
        if step.segment is None:
            raise InputRefused(f"{step.new}: is no segment of a watcher")
        here = step.here / INDEX
        here.mkdir()
        window = Window(step.segment.number, step.segment.since, step.segment.until)
        index_of(engine, seen, run, window).write(here, seen.key)
        learned = Learned.load(step.here / STATE, seen.key)
        write_counts(learned.prompts, learned.systems, here)

    return look
