"""A Kafka topic, through what reads one: explicit offsets, each partition up to its mark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.apps.watch.sources import known_columns
from stillwatch.apps.watch.topic import Topic
from stillwatch.model import InputRefused, UsageError
from tests.apps.watch.small import Desk, at, row

NAME = "kafka://127.0.0.1:9092/log"


@dataclass
class Read:
    """What reading yields: lines of one partition, and the next offsets of all."""

    lines: bytes
    partition: int
    places: np.ndarray
    offsets: dict[int, int]


@dataclass
class Broker:
    """Messages by partition, as a broker keeps them; `None` is a tombstone."""

    held: dict[int, list[dict[str, Any] | str | None]] = field(default_factory=lambda: {0: [], 1: []})
    down: bool = False

    def beginning(self) -> dict[int, int]:
        return dict.fromkeys(self.held, 0)

    def read(self, offsets: Mapping[int, int]) -> Iterator[Read]:
        if self.down:
            raise InputRefused("Kafka topic log: no answer in 30 s; check that the brokers are up")
        position = dict(offsets)
        for number, messages in self.held.items():
            for start in range(position[number], len(messages), 2):
                some = [(at, each) for at, each in enumerate(messages[start : start + 2], start) if each is not None]
                texts = [each if isinstance(each, str) else json.dumps(each) for _, each in some]
                position[number] = min(start + 2, len(messages))
                places = np.array([at for at, _ in some], np.int64)
                yield Read("".join(text + "\n" for text in texts).encode(), number, places, dict(position))


@pytest.fixture
def broker() -> Broker:
    return Broker()


def desk_over(broker: Broker, folder: Path) -> Desk:
    desk = Desk(folder)
    columns = known_columns({})
    desk.source = Topic(NAME, desk.store().scratch, columns, desk.said.append, lambda *_: nullcontext(broker))
    return desk


@pytest.mark.slow
def test_each_message_is_read_once(broker: Broker, tmp_path: Path) -> None:
    desk = desk_over(broker, tmp_path)
    for number in range(7):
        broker.held[number % 2].append(row(number, number))
        desk.sweep(number + 1)
    desk.sweep(61)
    assert desk.segments() == [[f"e{i:05d}" for i in range(7)]]
    assert desk.store().load().positions[NAME] == {"offsets": {"0": 4, "1": 3}}


def test_a_bad_message_is_told_with_its_offset(broker: Broker, tmp_path: Path) -> None:
    broker.held[1] += [row(0, 1), None, None, "nonsense", row(1, 2), row(1, 2)]
    desk = desk_over(broker, tmp_path)
    desk.sweep(61)
    assert [(one["file"], one["row"], one["field"]) for one in desk.rejected()] == [
        ("log/1", 3, "<line>"),
        ("log/1", 5, "exchange_id"),
    ]
    assert "log/1:4; the first is kept" in desk.rejected()[1]["mend"]


def test_a_broker_that_is_silent_is_an_outage(broker: Broker, tmp_path: Path) -> None:
    desk = desk_over(broker, tmp_path)
    broker.held[0].append(row(0, 1))
    broker.down = True
    desk.sweep(2)
    broker.down = False
    desk.sweep(61)
    assert desk.segments() == [["e00000"]]
    assert len(desk.said) == 1


def test_a_topic_needs_a_name(broker: Broker, tmp_path: Path) -> None:
    desk = desk_over(broker, tmp_path)
    desk.source = Topic("kafka://host:9092", tmp_path, (), open_=lambda *_: nullcontext(broker))
    with pytest.raises(UsageError, match="kafka://HOST:PORT/TOPIC"):
        desk.sweep(1)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("stillwatch.ingest.kafka") is None, reason="this version reads no Kafka")
def test_a_topic_of_a_real_client_is_followed(tmp_path: Path) -> None:
    """Against librdkafka's own mock cluster."""
    kafka = pytest.importorskip("confluent_kafka")
    cluster = kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
    brokers = ",".join(f"{each.host}:{each.port}" for each in cluster.list_topics(timeout=10).brokers.values())
    producer = kafka.Producer({"bootstrap.servers": brokers, "log_level": 0})
    desk = Desk(tmp_path)
    desk.source = Topic(f"kafka://{brokers}/log", desk.store().scratch, known_columns({}), desk.said.append)
    for number in range(6):
        producer.produce("log", json.dumps(row(number, number)).encode())
        producer.flush(10)
        desk.sweep(number + 1)
    desk.sweep(61)
    assert [sorted(each) for each in desk.segments()] == [[f"e{i:05d}" for i in range(6)]]
    assert desk.now == at(61)
    del cluster
