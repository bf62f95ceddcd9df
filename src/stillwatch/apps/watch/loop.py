"""Sweep after sweep, until there is nothing left or somebody says stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from stillwatch.apps.watch.disk import alone_in
from stillwatch.apps.watch.outages import LONGEST, Outages
from stillwatch.apps.watch.sources import SourceLost, Tell
from stillwatch.apps.watch.state import Store
from stillwatch.apps.watch.watcher import Plan, Verdicts, Watcher
from stillwatch.model import InputRefused, UsageError

SECOND = 1_000_000
RESUME = "mend that and start the watcher again, it goes on where it was"
SOON = SECOND  # between sweeps of `--once`, while something is still in the writing


class Stopped(BaseException):
    """Somebody asked the watcher to end."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a watcher needs of the world: the time (µs), a way to wait (µs), and somebody to talk to."""

    clock: Callable[[], int]
    wait: Callable[[int], None]
    verdicts: Callable[[Verdicts], None] = lambda _: None
    tell: Tell = lambda _: None


@dataclass
class _Refused(Outages):
    """In a single pass nobody waits for a source that does not answer."""

    failed: list[str] = field(default_factory=list)

    def lost(self, _name: str, error: SourceLost, _now: int, /) -> None:
        self.failed.append(str(error))


def once(plan: Plan, store: Store, world: Surroundings) -> None:
    """Process what is there, then return. Raises InputRefused when a source does not answer."""
    with alone_in(store.folder), _disk(store.folder):
        watcher, outages = Watcher(plan, store, world.clock), _Refused(SOON)
        while True:
            for each in watcher.sweep(world.clock(), outages):
                world.verdicts(each)
            if outages.failed:
                raise InputRefused("\n".join(outages.failed))
            if not any(source.unsettled() for source in plan.sources):
                return
            world.wait(SOON)


def forever(plan: Plan, store: Store, world: Surroundings, poll: int) -> None:
    """Sweep every `poll` µs until `Stopped` is raised. What cannot be concluded now is tried again."""
    with alone_in(store.folder), _disk(store.folder):
        watcher, outages = Watcher(plan, store, world.clock), Outages(poll, world.tell)
        failures, said = 0, ""
        while True:
            try:
                for each in watcher.sweep(world.clock(), outages):
                    world.verdicts(each)
                failures, said = 0, ""
            except InputRefused as error:  # of the accounts, say: the segments are kept, and wait
                failures += 1
                if str(error) != said:
                    said = str(error)
                    world.tell(f"nothing can be concluded now: {said}; tried again until it can")
            world.wait(min(poll << min(failures, 20), max(LONGEST, poll)))


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """A disk that is full, or does not answer, ends the watcher with a word; the state stays what was committed."""
    try:
        yield
    except UsageError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise UsageError(f"{str(error).partition(';')[0]}; {RESUME}") from error
    except (OSError, duckdb.IOException) as error:
        reason = getattr(error, "strerror", None) or "is the disk full?"
        raise UsageError(f"{folder}: cannot be written ({reason}); {RESUME}") from error


@contextmanager
def stopping() -> Iterator[None]:
    """Let SIGTERM and SIGINT end what is inside, cleanly; whatever error comes of being interrupted is the end too."""
    asked: list[int] = []

    def stop(number: int, _: object) -> None:
        if not asked:
            asked.append(number)
            raise Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except BaseException:
        if not asked:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
