"""Kept exchanges to a Kafka topic as well: at least once, with the exchange's id as key.

What is sent is what is kept: with `text = sketch` a message has the names of template and fill, and no prompt. A
segment counts as sent when the brokers have acknowledged every row of it and its name is written down. A kill in
between sends it again: a reader leaves repeated ids out, as `stillwatch watch` does.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.apps.gateway.recording.layout import PARQUET, Layout, files, write_whole
from stillwatch.apps.gateway.recording.segments import read_segment
from stillwatch.apps.gateway.recording.settings import KafkaSettings
from stillwatch.model import MissingDependency, StillwatchError, UsageError

PATIENCE = 30.0  # seconds for the brokers to acknowledge a segment
SENT = ".kafka-sent"
FIXED = {"enable.idempotence": True, "acks": "all"}  # what at least once rests on
logger = logging.getLogger("stillwatch.gateway.recording")


class NotSent(StillwatchError):
    """Brokers did not take a segment now, and may later."""


class Sink:
    """A topic. Use it from one thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Raises MissingDependency without confluent-kafka, UsageError for a setting that librdkafka does not know."""
        try:
            import confluent_kafka as kafka
        except ImportError:
            raise MissingDependency("writing to Kafka needs confluent-kafka: pip install 'stillwatch[kafka]'") from None
        self.settings = settings
        quiet = logging.Logger("stillwatch.kafka", level=logging.CRITICAL + 1)
        quiet.addHandler(logging.NullHandler())
        timeout = {"message.timeout.ms": int(PATIENCE * 1_000)}
        chosen = {**timeout, **settings.config, **FIXED, "bootstrap.servers": settings.brokers}
        try:
            self._producer = kafka.Producer(chosen, logger=quiet)
        except kafka.KafkaException as error:
            raise UsageError(f"recording.kafka: {error.args[0].str()}; correct the client's configuration") from None

    def send(self, rows: pa.Table) -> None:
        """Send exchanges and wait until the brokers have them all. Raises NotSent."""
        failed: list[str] = []

        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                failed.append(error.str())

        for batch in rows.to_batches(max_chunksize=1_000):
            for row in batch.to_pylist():
                self._produce(str(row["exchange_id"]), as_json(row), delivered)
        left = self._producer.flush(PATIENCE + 5)
        if left or failed:
            why = failed[0] if failed else f"no answer in {PATIENCE:.0f} s"
            raise NotSent(f"Kafka topic {self.settings.topic}: {left + len(failed)} messages were not taken ({why})")

    def _produce(self, key: str, value: bytes, delivered: Callable[[Any, Any], None]) -> None:
        while True:
            try:
                self._producer.produce(self.settings.topic, value, key=key.encode(), on_delivery=delivered)
                self._producer.poll(0)
                return
            except BufferError:
                self._producer.poll(0.1)


class Forwarder:
    """Sends every segment that stays, and remembers which were sent."""

    def __init__(self, layout: Layout, send: Callable[[pa.Table], None]) -> None:
        """Go on from what was written down."""
        self._layout, self._send, self._path = layout, send, layout.folder / SENT
        self._sent = set(json.loads(self._path.read_bytes())) if self._path.exists() else set[str]()
        self._failing = ""
        self.total = 0  # exchanges sent since the start

    def sweep(self) -> int:
        """Send what was not sent; return how many exchanges that were. A failure is said once and tried again later."""
        sent = 0
        for path in files(self._layout.segments, PARQUET):
            if self.was_sent(path):
                continue
            rows = read_segment(path)
            try:
                self._send(rows)
            except NotSent as error:
                self._say(str(error))
                return sent
            self._note(path)
            sent += rows.num_rows
            self.total += rows.num_rows
        self._say("")
        return sent

    def was_sent(self, path: Path) -> bool:
        """Whether the brokers have the rows of a segment: an hour is made of segments that were sent."""
        return path.name in self._sent or path.name.startswith("hour-")

    def waiting(self) -> int:
        """How many segments were not sent yet."""
        return sum(not self.was_sent(path) for path in files(self._layout.segments, PARQUET))

    def _note(self, path: Path) -> None:
        there = {each.name for each in files(self._layout.segments, PARQUET)}
        self._sent = (self._sent & there) | {path.name}
        write_whole(self._path, json.dumps(sorted(self._sent)).encode())

    def _say(self, words: str) -> None:
        if words and words != self._failing:
            logger.error("kafka-not-sent", extra={"detail": words})
        if self._failing and not words:
            logger.warning("kafka-sent-again")
        self._failing = words


def as_json(row: Mapping[str, Any]) -> bytes:
    """Return an exchange as a line of an exchange log; what is null is left out."""
    given = {name: value for name, value in row.items() if value is not None}
    if "ts" in given:
        given["ts"] = given["ts"].isoformat()
    return json.dumps(given, ensure_ascii=False).encode()
