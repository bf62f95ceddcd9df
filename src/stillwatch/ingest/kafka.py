"""A Kafka topic as lines of an exchange log: read from explicit offsets, so that a reader resumes exactly.

Nothing is committed to the broker and no group is joined: the caller keeps the offsets beside what it made of them.
Partitions are read one after the other, each up to the mark that stood when reading began, so that the same offsets
give the same batches.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from stillwatch.model import InputRefused, MissingDependency, UsageError

PATIENCE = 30.0  # seconds without a word from the broker before a read fails
MESSAGES = 10_000  # of one batch; at a few kB each a batch stays below a hundred MB
BYTES = 64 << 20  # of one batch, whichever comes first
FIXED = {  # what exact resumption rests on; a caller's configuration cannot change it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",  # a gap is said, never jumped over
}


@dataclass(frozen=True, slots=True)
class Marks:
    """Where one partition begins and ends: the first offset still kept, and the one after the last message."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one partition as NDJSON bytes, each ended by a line break, and where to go on after them.

    `offsets` holds every partition of the topic: store it when what the lines led to is stored. `places` has the
    offset of the message that each line came from.
    """

    lines: bytes
    messages: int
    partition: int
    places: np.ndarray
    offsets: dict[int, int]


class Topic:
    """A topic to read. Use it in a `with` block, from one thread."""

    def __init__(self, brokers: str, topic: str, config: Mapping[str, Any] | None = None) -> None:
        """Connect to `brokers` (host:port, parted by commas); `config` holds further settings of librdkafka.

        Raises MissingDependency without confluent-kafka, UsageError for a setting that librdkafka does not know.
        """
        self._kafka = _client()
        self.topic = topic
        chosen = {"group.id": "stillwatch", **(config or {}), **FIXED, "bootstrap.servers": brokers}
        try:
            self._consumer = self._kafka.Consumer(chosen, logger=_silent())
        except self._kafka.KafkaException as error:
            raise UsageError(f"Kafka at {brokers}: {_words(error)}; correct the client's configuration") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def marks(self) -> dict[int, Marks]:
        """Return the marks of every partition now. Raises InputRefused when the broker or the topic does not answer."""
        try:
            known = self._consumer.list_topics(self.topic, timeout=PATIENCE).topics[self.topic]
            if known.error is not None:
                raise self._kafka.KafkaException(known.error)
            pairs = {number: self._watermarks(number) for number in sorted(known.partitions)}
        except self._kafka.KafkaException as error:
            raise InputRefused(f"Kafka topic {self.topic}: {_words(error)}; check the brokers and the topic") from None
        return {number: Marks(low, high) for number, (low, high) in pairs.items()}

    def beginning(self) -> dict[int, int]:
        """Return the first offset of every partition: where to start when nothing was read before."""
        return {number: marks.low for number, marks in self.marks().items()}

    def read(self, offsets: Mapping[int, int], *, messages: int = MESSAGES) -> Iterator[Batch]:
        """Yield batches from `offsets` ({partition: next offset}) up to the high marks of this moment, then stop.

        A partition that `offsets` does not name (the topic grew) is read from its beginning. A message without value is
        passed over. Raises InputRefused when the broker no longer keeps, or never had, what an offset asks for.
        """
        marks = self.marks()
        position = {number: offsets.get(number, each.low) for number, each in marks.items()}
        for number in sorted(set(offsets) - set(marks)):
            raise InputRefused(f"Kafka topic {self.topic} has no partition {number}; is it another topic?")
        for number, each in marks.items():
            self._check(number, position[number], each)
        for number, each in marks.items():
            if position[number] < each.high:
                yield from self._read_partition(number, each.high, position, messages)

    def _read_partition(self, number: int, until: int, position: dict[int, int], most: int) -> Iterator[Batch]:
        self._consumer.assign([self._kafka.TopicPartition(self.topic, number, position[number])])
        held, size = list[tuple[int, bytes]](), 0
        try:
            for offset, value in self._messages(number, until):
                position[number] = offset + 1
                if value:
                    held.append((offset, value))
                    size += len(value)
                if len(held) >= most or size >= BYTES:
                    yield _batch(number, held, position)
                    held, size = [], 0
            if held or position[number] < until:  # what follows the last message is control records alone
                position[number] = until
                yield _batch(number, held, position)
        finally:
            self._consumer.unassign()

    def _messages(self, number: int, until: int) -> Iterator[tuple[int, bytes | None]]:
        """Yield (offset, value) of every message below `until`."""
        where, deadline = f"Kafka topic {self.topic}, partition {number}", time.monotonic() + PATIENCE
        while True:
            message = self._consumer.poll(1.0)
            if message is None:
                if time.monotonic() > deadline:
                    raise InputRefused(f"{where}: no answer in {PATIENCE:.0f} s; check that the brokers are up")
                continue
            deadline = time.monotonic() + PATIENCE
            error = message.error()
            if error is not None and error.code() != self._kafka.KafkaError._PARTITION_EOF:
                raise InputRefused(f"{where}: {error.str()}; read again from the offsets of the last batch")
            if error is not None or message.offset() >= until:
                return
            yield message.offset(), message.value()
            if message.offset() + 1 >= until:
                return

    def _watermarks(self, number: int) -> tuple[int, int]:
        place = self._kafka.TopicPartition(self.topic, number)
        return self._consumer.get_watermark_offsets(place, timeout=PATIENCE)

    def _check(self, number: int, offset: int, marks: Marks) -> None:
        where = f"Kafka topic {self.topic}, partition {number}"
        if offset < marks.low:
            lost = marks.low - offset
            raise InputRefused(
                f"{where}: offset {offset} is gone, the broker keeps {marks.low} and later; {lost} messages were "
                f"deleted unread; go on from {marks.low}, and keep the topic's messages longer"
            )
        if offset > marks.high:
            raise InputRefused(f"{where}: offset {offset} lies after the end, {marks.high}; was the topic made anew?")


def _batch(number: int, held: list[tuple[int, bytes]], position: Mapping[int, int]) -> Batch:
    texts = [value.rstrip(b"\r\n") for _, value in held]
    counts = np.array([text.count(b"\n") + 1 for text in texts], np.int64)  # a message may hold several lines
    places = np.repeat(np.array([offset for offset, _ in held], np.int64), counts)
    lines = b"\n".join(texts) + b"\n" if texts else b""
    return Batch(lines, len(held), number, places, dict(position))


def _client() -> Any:
    try:
        import confluent_kafka
    except ImportError:
        raise MissingDependency("reading Kafka needs confluent-kafka: pip install 'stillwatch[kafka]'") from None
    return confluent_kafka


def _silent() -> Any:
    """librdkafka's own chatter goes nowhere; what matters comes back as an error."""
    logger = logging.Logger("stillwatch.kafka", level=logging.CRITICAL + 1)
    logger.addHandler(logging.NullHandler())
    return logger


def _words(error: Any) -> str:
    found = error.args[0] if error.args else error
    return found.str() if hasattr(found, "str") else str(found)
