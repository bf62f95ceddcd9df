"""The compactor at work: rounds without end, in a process of its own, so that it takes no time from requests."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from stillwatch.apps.gateway.recording.compactor import Compactor, Swept
from stillwatch.apps.gateway.recording.hours import merge_hours
from stillwatch.apps.gateway.recording.kafka import Forwarder, Sink
from stillwatch.apps.gateway.recording.layout import Layout
from stillwatch.apps.gateway.recording.settings import RecordingSettings
from stillwatch.sketch.text import SketchKey

ROUND = 1.0  # seconds between two rounds
MERGE_EVERY = 300.0
logger = logging.getLogger("stillwatch.gateway.recording")


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did, and how Kafka stands."""

    swept: Swept
    sent: int = 0  # exchanges since the start
    unsent: int = 0  # segments


Told = Callable[[Round], None]


def keep_compacting(
    settings: RecordingSettings, secret: bytes, stop: threading.Event, told: Told = lambda _: None
) -> None:
    """Work until `stop` is set, then do a last round. An error ends a round and is logged; the next tries again."""
    layout = Layout(settings.folder)
    with Compactor(settings, SketchKey.from_secret(secret)) as compactor, _forwarding(settings, stop) as forwarder:
        merged, last = 0.0, False
        while not last:
            last = stop.wait(ROUND)
            try:
                swept = compactor.sweep()
                now = time.time()
                if now - merged >= MERGE_EVERY:
                    merge_hours(layout, now, forwarder.was_sent if forwarder else lambda _: True)
                    merged = now
                told(Round(swept, forwarder.total, forwarder.waiting()) if forwarder else Round(swept))
            except Exception as error:  # a full disk, say: the spool keeps what is recorded meanwhile
                logger.exception("compaction-failed", extra={"kind": type(error).__name__})


@contextmanager
def _forwarding(settings: RecordingSettings, stop: threading.Event) -> Iterator[Forwarder | None]:
    """Send to Kafka in a thread of its own: brokers that do not answer must not hold up the compactor."""
    if settings.kafka is None:
        yield None
        return
    forwarder = Forwarder(Layout(settings.folder), Sink(settings.kafka).send)

    def forward() -> None:
        while not stop.wait(ROUND):
            try:
                forwarder.sweep()
            except Exception as error:
                logger.exception("kafka-failed", extra={"kind": type(error).__name__})

    thread = threading.Thread(target=forward, name="stillwatch-kafka", daemon=True)
    thread.start()
    try:
        yield forwarder
    finally:
        stop.set()
        thread.join()


def compactor_process(settings: RecordingSettings, secret: bytes, told: Told = lambda _: None) -> None:
    """What a process started for it runs: until SIGTERM, SIGINT or the end of its parent."""
    stop, parent = threading.Event(), os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def until_orphaned() -> None:
        while not stop.wait(ROUND):
            if os.getppid() != parent:
                stop.set()

    threading.Thread(target=until_orphaned, daemon=True).start()
    with suppress(KeyboardInterrupt):
        keep_compacting(settings, secret, stop, told)
