"""A rival within a time budget: it runs in a process of its own, which is stopped with all it started."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned
from stillwatch.model import StillwatchError


@dataclass(frozen=True)
class Outcome:
    """What a rival made of a log, or why it made nothing."""

    ranking: Ranking | None
    seconds: float
    note: str = ""


def run_within(rival: Rival, log: Log, setting: Setting, tuned: Tuned | None, budget_s: float) -> Outcome:
    """Rank the accounts of a log, or say that the rival did not finish in so many seconds."""
    context = multiprocessing.get_context("spawn")  # a fork would copy other threads' locks
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(theirs, rival, log, setting, tuned))
    began = time.perf_counter()
    worker.start()
    theirs.close()
    try:
        if not ours.poll(budget_s):
            return Outcome(None, time.perf_counter() - began, f"did not finish in {budget_s:g} s")
        found = ours.recv()
    except EOFError:
        return Outcome(None, time.perf_counter() - began, "ended without an answer, as when memory runs out")
    finally:
        _stop(worker)
        ours.close()
    if isinstance(found, StillwatchError):
        raise found
    if isinstance(found, str):
        return Outcome(None, time.perf_counter() - began, found)
    return Outcome(found[0], found[1])


def _work(answer: Connection, rival: Rival, log: Log, setting: Setting, tuned: Tuned | None) -> None:
    os.setsid()  # so that what it starts can be stopped with it
    began = time.perf_counter()
    try:
        ranking = rival.rank(log, setting, tuned)
        answer.send((ranking, time.perf_counter() - began))
    except StillwatchError as error:
        answer.send(error)
    except Exception as error:  # another's package may fail in any way; the table says how
        answer.send(f"failed: {type(error).__name__}: {error}"[:300])
    finally:
        answer.close()


def _stop(worker: multiprocessing.context.SpawnProcess) -> None:
    worker.join(1.0)
    if worker.is_alive() and worker.pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.kill()
        worker.join()
    worker.close()
