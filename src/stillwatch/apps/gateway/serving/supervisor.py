"""Watches over the processes of the gateway: starts, replaces, drains them, and renews all of them at a reload.

The listening socket is bound here, once, and every worker inherits it. So a worker that dies or is replaced loses no
connection that waits to be accepted, and a new configuration comes into force without a moment of refusal.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from stillwatch.apps.gateway.serving.worker import BuildParts, run_worker
from stillwatch.apps.gateway.settings import Config, host_and_port, load_config
from stillwatch.model import StillwatchError

logger = logging.getLogger("stillwatch.gateway")
FIXED = ("listen", "data", "admin", "decide", "envoy", "accounts")  # of the configuration: a reload leaves them
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
BACKLOG = 2_048
LOOK = 0.5  # seconds between two looks when nothing happens
SOON, LATE = 0.5, 30.0  # seconds before a process that died is started again: doubled each time it dies young
YOUNG = 10.0  # seconds
START = 180.0  # seconds that a new worker may take until it serves: the first one ever compiles the sketches
FAILED = 70  # exit status
EXTRA = 10.0  # seconds beyond the drain before a process is killed


@dataclass(frozen=True, slots=True)
class Background:
    """Something that runs beside the workers, in a process of its own, until it gets SIGTERM."""

    name: str
    run: Callable[[Config], None]


@dataclass(frozen=True, slots=True)
class Program:
    """What runs: how a worker's parts are built, what runs beside the workers, and what sets up each process's logs."""

    build: BuildParts
    background: tuple[Background, ...] = ()
    logs: Callable[[Config], None] | None = None


@dataclass(slots=True)
class _Child:
    name: str
    process: BaseProcess
    started: float
    ready: Connection | None = None  # says so once it serves; None when nothing is awaited
    leaving: float | None = None  # when it was told to end


@dataclass(slots=True)
class Supervisor:
    """The gateway's first process. It serves nothing itself."""

    path: Path
    config: Config
    program: Program
    _children: list[_Child] = field(default_factory=list)
    _failures: dict[str, int] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)  # when a process is started again
    _asked: set[int] = field(default_factory=set)  # signals that wait
    _draining: bool = False

    def run(self) -> int:
        """Run until told to end; return the exit status."""
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        for number in SIGNALS:
            signal.signal(number, self._signalled)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        listener = bind(self.config.listen)
        try:
            if not _all_ready([self._start(name, listener) for name in self._wanted()]):
                logger.error("not-started", extra={"why": "a worker ended before it served; it says above why"})
                return FAILED
            logger.info("started", extra={"listen": self.config.listen, "workers": self.config.workers})
            while not (self._draining and not self._children):
                wait([wake, *(each.process.sentinel for each in self._children)], timeout=LOOK)
                _empty(wake)
                self._look(listener)
        finally:
            signal.set_wakeup_fd(-1)
            self._kill()
            for fd in (wake, woken):
                os.close(fd)
            listener.close()
        logger.info("ended")
        return 0

    def _wanted(self) -> list[str]:
        return [
            *(f"worker-{number}" for number in range(self.config.workers)),
            *(b.name for b in self.program.background),
        ]

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._asked.add(number)

    def _look(self, listener: socket.socket) -> None:
        asked, self._asked = self._asked, set()
        if asked & {signal.SIGTERM, signal.SIGINT}:
            self._drain(at_once=self._draining)
        elif signal.SIGHUP in asked:
            self._renew(listener)
        now = time.monotonic()
        for child in list(self._children):
            self._look_at(child, now)
        if not self._draining:
            here = {each.name for each in self._children if each.leaving is None}
            for name in self._wanted():
                if name not in here and now >= self._due.get(name, 0):
                    self._start(name, listener)

    def _look_at(self, child: _Child, now: float) -> None:
        limit = self.config.timeouts.drain + self.config.timeouts.unready + EXTRA
        if child.ready is not None and child.ready.poll():
            child.ready.close()
            child.ready = None
        if child.process.is_alive():
            if child.leaving is not None and now - child.leaving > limit:
                logger.error("killed", extra={"what": child.name, "pid": child.process.pid})
                child.process.kill()
            return
        child.process.join()
        self._children.remove(child)
        if child.leaving is None:
            young = now - child.started < YOUNG
            failures = self._failures[child.name] = self._failures.get(child.name, 0) + 1 if young else 0
            self._due[child.name] = now + min(SOON * 2**failures, LATE)
            logger.error("died", extra={"what": child.name, "pid": child.process.pid, "status": child.process.exitcode})

    def _start(self, name: str, listener: socket.socket) -> _Child:
        context = multiprocessing.get_context("spawn")  # a fork would inherit threads' locks, and this one's signals
        hears, says = context.Pipe(duplex=False)
        background = next((each.run for each in self.program.background if each.name == name), None)
        if background is None:
            process = context.Process(target=_worker, args=(self.config, self.program, listener, says), name=name)
        else:
            process = context.Process(target=_beside, args=(self.config, self.program, background), name=name)
        process.start()
        says.close()
        child = _Child(name, process, time.monotonic(), hears if background is None else None)
        if background is not None:
            hears.close()
        self._children.append(child)
        return child

    def _drain(self, at_once: bool) -> None:
        """Let the workers finish; a second signal ends them at once."""
        self._draining = True
        logger.info("draining", extra={"at_once": at_once})
        for child in self._children:
            _tell(child, signal.SIGKILL if at_once else signal.SIGTERM)

    def _renew(self, listener: socket.socket) -> None:
        """Read the file again, and replace every process by one that follows it; a broken file changes nothing."""
        try:
            config = load_config(self.path)
        except StillwatchError as error:
            logger.error("reload-failed", extra={"what": str(self.path), "why": str(error)})
            return
        for name in FIXED:
            if getattr(config, name) != getattr(self.config, name):
                logger.warning("needs-restart", extra={"what": name})
        kept = {name: getattr(self.config, name) for name in FIXED}
        self.config = config.model_copy(update=kept)
        before = [each for each in self._children if each.leaving is None]
        for child in [each for each in before if not each.name.startswith("worker-")]:
            _tell(child, signal.SIGTERM)  # only one of each may run; it is started again when the old one has ended
        fresh = [self._start(name, listener) for name in self._wanted() if name.startswith("worker-")]
        if not _all_ready(fresh):
            logger.error("reload-failed", extra={"what": "workers", "why": "new ones do not serve; the old ones go on"})
            for child in fresh:
                _tell(child, signal.SIGTERM)
            return
        for child in before:
            if child.leaving is None:
                _tell(child, signal.SIGTERM)
        logger.info("reloaded", extra={"what": str(self.path)})

    def _kill(self) -> None:
        for child in self._children:
            child.process.kill()
            child.process.join()
            if child.ready is not None:
                child.ready.close()


def bind(address: str) -> socket.socket:
    """Return a listening socket."""
    host, port = host_and_port(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StillwatchError(
            f"{address}: cannot listen there ({error.strerror}); end what does, or change it"
        ) from error
    listener.setblocking(False)
    return listener


def _tell(child: _Child, number: signal.Signals) -> None:
    child.leaving = child.leaving or time.monotonic()
    if child.process.is_alive() and child.process.pid is not None:
        os.kill(child.process.pid, number)


def _all_ready(children: list[_Child]) -> bool:
    until = time.monotonic() + START
    for child in children:
        if child.ready is None:  # runs beside the workers
            continue
        if not child.ready.poll(max(until - time.monotonic(), 0)):
            return False
        try:
            child.ready.recv()
        except EOFError:  # it ended instead
            return False
        child.ready.close()
        child.ready = None
    return True


def _worker(config: Config, program: Program, listener: socket.socket, ready: Connection) -> None:
    _prepare(config, program)
    run_worker(config, program.build, listener, ready)


def _beside(config: Config, program: Program, run: Callable[[Config], None]) -> None:
    _prepare(config, program)
    threading.Thread(target=_end_with, args=(os.getppid(),), name="stillwatch-supervisor", daemon=True).start()
    run(config)


def _end_with(supervisor: int) -> None:
    """End this process once its supervisor was killed: the next one starts its own, on the same ports and folders."""
    while os.getppid() == supervisor:
        time.sleep(LOOK)
    logger.error("supervisor-gone", extra={"pid": os.getpid()})
    os.kill(os.getpid(), signal.SIGTERM)


def _prepare(config: Config, program: Program) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # meant for the supervisor
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the supervisor says what it means
    if program.logs is not None:
        program.logs(config)


def _empty(fd: int) -> None:
    while select.select([fd], [], [], 0)[0]:
        os.read(fd, 512)
