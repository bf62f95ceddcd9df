"""One answer on both engines: every table of a run on Spark equals DuckDB's, even when a worker is killed meanwhile."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stillwatch as sw

pytestmark = [
    pytest.mark.xdist_group("spark"),  # one Java machine for all of them
    # pyspark leaves the sockets, by which a result came, to the garbage collector
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SOURCES = ("exchanges.parquet", "accounts.parquet", "licences.csv")
TABLES = ("verdicts.parquet", "campaigns.parquet", "campaigns.json", "evidence.parquet", "flagged.parquet",
          "rejected.ndjson")  # fmt: skip
PARTS = 4
PATIENCE = 300  # seconds, on a machine that does much else
RUN = """
import json, sys, urllib.request
from pathlib import Path
import stillwatch as sw
from pyspark.sql import SparkSession
master, port, traffic, out = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
conf = {"spark.ui.port": port, "spark.sql.shuffle.partitions": "4", "spark.executor.memory": "700m",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.log.level": "ERROR",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
builder = SparkSession.builder.master(master)
for name, value in conf.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
run = sw.detect(*(traffic / name for name in %r), settings=sw.Settings(engine="spark"))
sw.write_run(run, out)
url = f"http://127.0.0.1:{port}/api/v1/applications/{spark.sparkContext.applicationId}/"
stages = json.load(urllib.request.urlopen(url + "stages"))
lost = sum(not each["isActive"] for each in json.load(urllib.request.urlopen(url + "allexecutors")))
print(json.dumps({"lost": lost, "failed": sum(s["numFailedTasks"] + s["numKilledTasks"] for s in stages)}))
spark.stop()
""" % (SOURCES,)  # noqa: UP031 - braces are the script's own


@pytest.fixture(scope="module")
def expected(small_run: sw.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert small_run.campaigns.num_rows > 3
    assert small_run.flagged.num_rows > 1_000
    out = tmp_path_factory.mktemp("duckdb") / "out"
    sw.write_run(small_run, out)
    return out


def differing(one: Path, other: Path) -> list[str]:
    return [name for name in TABLES if (one / name).read_bytes() != (other / name).read_bytes()]


def test_spark_finds_exactly_what_duckdb_finds_and_brings_no_exchange_here(
    spark: Any, small_traffic: Path, expected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql.classic.dataframe import DataFrame

    from stillwatch.ingest.spark.engine import SparkEngine

    brought: list[pa.Table] = []
    original = DataFrame.toArrow

    def watched(frame: Any) -> pa.Table:
        brought.append(original(frame))
        return brought[-1]

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("rows were collected")

    monkeypatch.setattr(DataFrame, "toArrow", watched)
    monkeypatch.setattr(SparkEngine, "stream", refuse)
    for name in ("collect", "toPandas", "take", "head"):
        monkeypatch.setattr(DataFrame, name, refuse)
    run = sw.detect(*(small_traffic / name for name in SOURCES), settings=sw.Settings(engine="spark"))
    sw.write_run(run, tmp_path / "out")
    assert differing(expected, tmp_path / "out") == []
    assert run.manifest["engine"] == "spark"
    assert "pyspark" in run.manifest["versions"]
    assert len(brought) > 10
    for table in brought:  # ids of flagged exchanges are an output; of all others no row is an exchange's
        assert not {"prompt", "system_prompt", "response"} & set(table.column_names) or table.num_rows <= 1
        ids_only = table.column_names == ["grp", "account", "exchange_id"]
        assert "exchange_id" not in table.column_names or ids_only or table.num_rows <= 1, table.column_names
        if ids_only:  # those of campaigns that are only watched come too, and are not told
            found = set(table["exchange_id"].to_pylist())
            assert set(run.flagged["exchange_id"].to_pylist()) <= found
            assert len(found) <= sum(run.campaigns["exchanges"].to_pylist())
    gc.collect()


@dataclass
class Cluster:
    master: str
    workers: list[subprocess.Popen[bytes]]

    def kill(self, executor: str) -> None:
        """Kill the worker that runs an executor, and the executor."""
        for worker in self.workers:
            for child in _children(worker.pid):
                words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                if "--executor-id" in words and words[words.index("--executor-id") + 1] == executor:
                    os.kill(worker.pid, signal.SIGKILL)
                    os.kill(child, signal.SIGKILL)
                    return
        raise AssertionError(f"no worker runs executor {executor}")


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(folder: Path, name: str, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = folder / f"{name}.log"
    env = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_WORKER_DIR": str(folder / "work"), "SPARK_HOME": ""}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(sw.__file__).parents[1]), env.get("PYTHONPATH")]))
    env.pop("SPARK_HOME")
    with log.open("wb") as out:
        process = subprocess.Popen(words, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        yield process, log
    finally:
        for each in (process.pid, *_children(process.pid)):
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait(120)


def _await(log: Path, pattern: str) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := re.search(pattern, log.read_text(errors="replace")):
            return found.group(0)
        time.sleep(0.1)
    raise AssertionError(f"{log.name} never said {pattern}: {log.read_text(errors='replace')[-500:]}")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A standalone master and two workers, each a process of its own, on the loopback address."""
    pyspark = pytest.importorskip("pyspark", reason="needs pyspark: pip install 'stillwatch[spark]'")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("needs Java 17 or 21: apt-get install openjdk-17-jre-headless")
    start = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    where = ("--host", "127.0.0.1", "--webui-port", "0")
    port = str(_free_port())
    parts = "org.apache.spark.deploy"
    url = f"spark://127.0.0.1:{port}"
    with _process(tmp_path, "master", start, f"{parts}.master.Master", *where, "--port", port) as (_, log):
        _await(log, "Starting Spark master")
        small = (start, f"{parts}.worker.Worker", *where, "--cores", "1", "--memory", "900m", url)
        with _process(tmp_path, "one", *small) as one, _process(tmp_path, "two", *small) as two:
            for _, each in (one, two):
                _await(each, "Successfully registered with master")
            yield Cluster(url, [one[0], two[0]])


def _busy_executor(port: int) -> str:
    """Wait until two executors are in the middle of a stage of kernels, and return the id of one of them."""
    url = f"http://127.0.0.1:{port}/api/v1/applications"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(0.05)
        try:
            base = f"{url}/{json.load(urllib.request.urlopen(url))[0]['id']}"
            queries = json.load(urllib.request.urlopen(f"{base}/sql?details=false&length=1000"))
            if not any(q["status"] == "RUNNING" and "MapInArrow" in q["planDescription"] for q in queries):
                continue
            for stage in json.load(urllib.request.urlopen(f"{base}/stages?status=active")):
                tasks = f"{base}/stages/{stage['stageId']}/{stage['attemptId']}/taskList?status=running"
                running = {task["executorId"] for task in json.load(urllib.request.urlopen(tasks))}
                if len(running - {"driver"}) == 2:
                    return max(running)
        except (OSError, LookupError, ValueError):
            continue
    raise AssertionError("no stage with kernels ran on two executors")


def test_killing_a_worker_in_the_middle_changes_nothing(
    cluster: Cluster, small_traffic: Path, expected: Path, tmp_path: Path
) -> None:
    port, out, split = _free_port(), tmp_path / "out", tmp_path / "split"
    (split / "exchanges.parquet").mkdir(parents=True)  # a folder of files, so that both workers have some
    rows = pq.read_table(small_traffic / "exchanges.parquet")
    for part in range(PARTS):
        first, last = (rows.num_rows * each // PARTS for each in (part, part + 1))
        some = rows.slice(first, last - first)
        pq.write_table(some, split / "exchanges.parquet" / f"{part}.parquet")
    for name in SOURCES[1:]:
        shutil.copy(small_traffic / name, split)
    words = [sys.executable, "-c", RUN, cluster.master, str(port), str(split), str(out)]
    env = os.environ | {"PYTHONPATH": str(Path(sw.__file__).parents[1]), "PYSPARK_PYTHON": sys.executable}
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            cluster.kill(_busy_executor(port))
            said, err = run.communicate(timeout=2 * PATIENCE)
        finally:
            run.kill()
    assert run.returncode == 0, err[-2_000:]
    told = json.loads(said.splitlines()[-1])
    assert told["lost"] == 1
    assert told["failed"] >= 1, "the worker was idle when it was killed"
    assert differing(expected, out) == []
