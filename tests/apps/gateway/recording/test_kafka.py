"""Kept exchanges to Kafka: over librdkafka's mock cluster, and over a broker of its own where that has a wheel."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.apps.gateway.recording import kafka
from stillwatch.apps.gateway.recording.kafka import Forwarder, NotSent, Sink
from stillwatch.apps.gateway.recording.layout import Layout
from stillwatch.apps.gateway.recording.settings import KafkaSettings
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.kafka import Topic
from stillwatch.ingest.read import read_exchanges
from stillwatch.model import MissingDependency, UsageError
from tests.apps.gateway.recording.small import MARKER, compact, fill, numbered, segments
from tests.ingest.test_kafka import brokers, make_topic, mock, tansu

__all__ = ["brokers", "mock", "tansu"]  # fixtures


def log(folder: Path, text: str = "sketch") -> Layout:
    """Two segments that stay, of three exchanges each."""
    for start in (0, 3):
        fill(folder, range(start, start + 3))
        compact(folder, watched=False, text=text)
    return Layout(folder)


def messages(brokers: str, topic: str) -> list[dict[str, object]]:
    with Topic(brokers, topic) as opened:
        lines = b"".join(each.lines for each in opened.read(opened.beginning()))
    return [json.loads(line) for line in lines.splitlines()]


class Brokers:
    """Takes rows; ends, or fails, when told to."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.down = False

    def send(self, rows: pa.Table) -> None:
        if self.down:
            raise NotSent("Kafka topic log: 3 messages were not taken (no answer in 30 s)")
        self.taken += rows["exchange_id"].to_pylist()


@pytest.mark.parametrize("text", ["sketch", "keep"])
def test_a_topic_gets_every_exchange_as_it_is_kept(brokers: str, tmp_path: Path, text: str) -> None:
    name = f"kept-{text}-{brokers.rpartition(':')[2]}"
    make_topic(brokers, name)
    config = {"batch.num.messages": 1, "log_level": 0}
    forwarder = Forwarder(log(tmp_path, text), Sink(KafkaSettings(brokers=brokers, topic=name, config=config)).send)
    assert (forwarder.waiting(), forwarder.sweep(), forwarder.waiting(), forwarder.sweep()) == (2, 6, 0, 0)
    found = messages(brokers, name)
    assert sorted(str(row["exchange_id"]) for row in found) == numbered(range(6))
    assert (MARKER in repr(found)) == (text == "keep")
    with Engine(tmp_path, threads=1) as engine:
        (tmp_path / "topic.ndjson").write_text("".join(json.dumps(row) + "\n" for row in found))
        read = read_exchanges(tmp_path / "topic.ndjson", engine)
        assert (read.rows_kept, read.rejected.num_rows) == (6, 0)
        wanted = ["exchange_id", "ts", "account_id", "status", "fill_hash"]
        there = engine.arrow(read.table.select(*wanted)).sort_by("exchange_id")
    here = pa.concat_tables(segments(tmp_path, "segments")).sort_by("exchange_id")
    assert there["exchange_id"].to_pylist() == here["exchange_id"].to_pylist()
    assert [each.timestamp() for each in there["ts"].to_pylist()] == [
        each.timestamp() for each in here["ts"].to_pylist()
    ]
    if text == "sketch":
        assert there["fill_hash"].to_pylist() == here["fill_hash"].to_pylist()


def test_a_restart_sends_only_what_was_not_sent(tmp_path: Path) -> None:
    layout, taker = log(tmp_path), Brokers()
    Forwarder(layout, taker.send).sweep()
    fill(tmp_path, range(6, 8))
    compact(tmp_path, watched=False)
    assert Forwarder(layout, taker.send).sweep() == 2
    assert sorted(taker.taken) == numbered(range(8))


def test_a_kill_before_it_was_written_down_sends_a_segment_again_and_none_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, taker = log(tmp_path), Brokers()
    with monkeypatch.context() as patch:
        patch.setattr(Forwarder, "_note", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Forwarder(layout, taker.send).sweep()
    Forwarder(layout, taker.send).sweep()
    counts = Counter(taker.taken)
    assert sorted(counts) == numbered(range(6))
    assert sorted(counts.values()) == [1, 1, 1, 2, 2, 2]


def test_brokers_that_are_away_are_an_outage_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    taker = Brokers()
    forwarder = Forwarder(log(tmp_path), taker.send)
    taker.down = True
    assert [forwarder.sweep() for _ in range(3)] == [0, 0, 0]
    taker.down = False
    assert forwarder.sweep() == 6
    assert [record.message for record in caplog.records] == ["kafka-not-sent", "kafka-sent-again"]


def test_what_is_not_acknowledged_is_not_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kafka, "PATIENCE", 0.5)
    log(tmp_path)
    settings = KafkaSettings(brokers="127.0.0.1:1", topic="gone", config={"log_level": 0, "message.timeout.ms": 300})
    with pytest.raises(NotSent, match="3 messages were not taken"):
        Sink(settings).send(segments(tmp_path)[0])


def test_a_wrong_setting_is_misuse_and_a_missing_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"no\.such\.setting"):
        Sink(KafkaSettings(brokers="127.0.0.1:1", topic="t", config={"no.such.setting": 1}))
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(MissingDependency, match=r"stillwatch\[kafka\]"):
        Sink(KafkaSettings(brokers="127.0.0.1:1", topic="t"))
