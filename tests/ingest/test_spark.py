"""Spark computes what DuckDB computes, operation by operation, and brings nothing large here."""

from __future__ import annotations

import datetime as dt
import gc
import pickle
import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import Ingested, read_accounts, read_exchanges
from stillwatch.model import InputRefused, MissingDependency, UsageError
from stillwatch.sketch.templates import TemplateCounts
from stillwatch.sketch.text import SketchKey

pytestmark = [
    pytest.mark.xdist_group("spark"),  # one Java machine for all of them
    pytest.mark.slow,
    # pyspark leaves the sockets, by which a result came, to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
DAY = dt.datetime(2026, 1, 5, 10, 0, 0, 700_000)
ROWS = pa.table(
    {
        "who": ["a", "b", "a", "c", "b", "a"],
        "n": pa.array([7, None, 3, 2**52, 0, 7], pa.int64()),
        "flag": [True, False, None, True, True, False],
        "text": ["203.0.113.9", "2001:db8:1::7", "", None, "Größe |x| \\d", " padded "],
        "ts": pa.array([DAY, DAY.replace(year=2025), None, DAY.replace(microsecond=1), DAY, DAY], pa.timestamp("us")),
        "list": [["x", "y"], [], None, ["x"], ["z", "z"], ["y"]],
        "x": [0.7, 1.0, None, 1e-5, 2e22, 12_345_678.25],
    }
)
EXPRESSIONS: dict[str, Callable[[ir.Table], ir.Table]] = {
    "seconds and microseconds": lambda t: t.select(
        "who", us=t.ts.epoch_seconds() * 1_000_000 + t.ts.microsecond(), n=t.n
    ),
    "a captured part of a text": lambda t: t.select(
        v4=t.text.re_extract(r"^(\d+\.\d+\.\d+)\.", 1).nullif(""), v6=t.text.contains(":"), size=t.text.length()
    ),
    "pieces of a text": lambda t: t.select(
        t.text.strip().name("a"), t.text.left(4).name("b"), t.text.lower().name("c")
    ),
    "a backslash in a pattern": lambda t: t.select(hit=t.text.re_search(r"\\d"), text=t.text),
    "whole parts and remainders": lambda t: t.select(a=t.n // 4, b=t.n % 24, c=t.n * 9 // 10),
    "numbers as text": lambda t: t.select(t.x.cast("string").name("x"), t.n.cast("string").name("n")),
    "sums, counts and distinct counts": lambda t: t.group_by("who").agg(
        rows=t.count(),
        n=t.n.fill_null(0).sum(),
        flagged=t.flag.cast("int64").sum(),
        texts=t.text.nunique(),
        first=t.n.min(where=t.flag),
        widest=t.n.max(),
    ),
    "lists": lambda t: t.filter(t.list.length() > 0).select("who", item=t.list.unnest()),
    "a value in a list": lambda t: t.select("who", within=ibis.array([7, 3]).contains(t.n)),
    "ranks": lambda t: t.select(
        "who", "n", rank=ibis.row_number().over(group_by="who", order_by=[ibis.desc("n"), ibis.asc("ts"), "text"])
    ),
    "a window's least": lambda t: t.select("who", least=t.n.min().over(group_by=t.who)),
    "joins": lambda t: t.select("who", "n").inner_join(
        t.group_by("who").having(t.count() > 1).agg(rows=t.count()), "who"
    ),
    "rows without a partner": lambda t: t.select("who", "n").anti_join(t.filter(t.n < 2).select("who"), "who"),
    "a union": lambda t: t.select("who").union(t.select("who")),
    "distinct rows in order": lambda t: t.select("who", "n").distinct().order_by(["who", "n"]),
}


@pytest.fixture
def workers(spark: Any, tmp_path: Path) -> Iterator[Engine]:
    from stillwatch.ingest.spark.engine import SparkEngine

    with SparkEngine(tmp_path) as made:
        yield made
    gc.collect()


def in_order(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=repr)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_means_the_same_on_both(name: str, engine: Engine, workers: Engine) -> None:
    answers = [each.arrow(EXPRESSIONS[name](each.register("rows", ROWS))) for each in (engine, workers)]
    assert answers[0].num_rows
    assert in_order(answers[0]) == in_order(answers[1])
    assert answers[0].column_names == answers[1].column_names


def test_a_number_is_spelled_the_same_on_both(engine: Engine, workers: Engine) -> None:
    chance = random.Random(5)
    numbers = [round(chance.random() * 10 ** chance.randint(-3, 6), chance.randint(0, 9)) for _ in range(2_000)]
    numbers += [chance.randint(1, 999_999) * 10.0 ** chance.randint(-20, 10) for _ in range(500)]
    numbers = [each for each in numbers if len(repr(each).partition("e")[0].replace(".", "").strip("0")) <= 15]
    numbers += [0.0, -0.0, 1e-4, 1e-3, 1e7, 1e15, 1e16, -1e16, 1.5e17, 1e-300, float("inf"), float("-inf")]
    spelled = []
    for each in (engine, workers):
        table = each.register("numbers", pa.table({"x": pa.array(numbers)}))
        answer = each.arrow(table.select("x", text=table.x.cast("string")))
        spelled.append(dict(zip(map(repr, answer["x"].to_pylist()), answer["text"].to_pylist(), strict=True)))
    assert spelled[0] == spelled[1]


def test_kernels_and_folds_give_the_same_on_both(
    engine: Engine, workers: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stillwatch.ingest.spark import engine as module

    monkeypatch.setattr(module, "FAN_IN", 1)  # so that workers merge states too
    prompts = pa.table({"prompt": [f"translate the word number {n % 700} for me please" for n in range(5_000)]})
    lengths = np.arange(200_000) ** 2  # over a megabyte: it is broadcast

    def count(state: TemplateCounts, batch: pa.RecordBatch) -> None:
        state.fold(batch.column(0))

    def measure(batch: pa.RecordBatch) -> pa.RecordBatch:
        size = lengths[pc.utf8_length(batch.column(0)).to_numpy(zero_copy_only=False)]
        return pa.record_batch([batch.column(0), pa.array(size)], ["prompt", "size"])

    made = []
    empty = partial(TemplateCounts, SketchKey.from_secret(b"test"), log2_size=21)
    for each in (engine, workers):
        rows = each.register("prompts", prompts)
        state = each.fold(rows, empty, count)
        sized = each.map("sized", rows, measure, pa.schema([("prompt", pa.string()), ("size", pa.int64())]))
        sums = sized.group_by("prompt").agg(s=sized["size"].sum()).order_by("prompt")
        made.append((state, each.arrow(sums)))
        assert each.fold(rows.filter(rows.prompt == ""), empty, count).prompts == 0
    assert made[0][0].prompts == made[1][0].prompts == 5_000
    assert np.array_equal(made[0][0].counters, made[1][0].counters)
    assert made[0][1].equals(made[1][1])


def test_a_state_travels_in_pieces_and_arrives_whole() -> None:
    from stillwatch.ingest.spark.shipping import CHUNK, merge_all, read_states, write_state

    states = []
    for seed in (1, 2):
        state = TemplateCounts(SketchKey.from_secret(b"test"), log2_size=22)
        state.counters[:] = np.random.default_rng(seed).integers(0, 2**29, 2**22)
        states.append(state)
    rows = [tuple(batch.to_pylist()[0].values()) for n, state in enumerate(states) for batch in write_state(state, n)]
    assert len(rows) > 4
    assert max(len(row[-1]) for row in rows) <= CHUNK
    merged = merge_all(read_states(rows))
    assert np.array_equal(merged.counters, states[0].counters + states[1].counters)


def test_kept_tables_streams_and_views(engine: Engine, workers: Engine) -> None:
    for each in (engine, workers):
        rows = each.register("rows", ROWS)
        kept = each.keep("kept", rows.select("who", "n"))
        seen = each.view("seen", kept.filter(kept.who == "a"))
        batches = list(each.stream(seen.order_by("n"), rows=2))
        assert max(batch.num_rows for batch in batches) <= 2
        assert pa.Table.from_batches(batches)["n"].to_pylist() == [3, 7, 7]
        assert each.arrow(each.concat("both", [kept, kept]).count().as_table()).to_pylist()[0].popitem()[1] == 12
        with each.lent("lent", ROWS.select(["who"])) as name:
            assert each.arrow(each.con.table(name)).num_rows == 6
        each.drop(kept)
    path = workers.spool("out", workers.register("rows", ROWS.select(["who", "n"])))
    assert pq.read_table(path).num_rows == 6


def write_logs(folder: Path) -> list[Path]:
    """Parquet of odd names and types, NDJSON and CSV: good rows, bad ones, and ids that come again."""
    good = {"ts": DAY, "account_id": "a1", "model": "m", "prompt": "say it again", "status": 200, "ip": "203.0.113.9"}
    rows = [good | {"exchange_id": f"e{n:03d}", "n": n % 3} for n in range(60)]
    rows[3] |= {"exchange_id": "e001"}
    rows[5] |= {"status": 9}
    rows[7] |= {"ip": "not an address"}
    rows[9] |= {"account_id": ""}
    one, two = folder / "first day 100%.parquet", folder / "_zweiter Täg [2].parquet"
    pq.write_table(pa.Table.from_pylist(rows), one, row_group_size=16)
    again = [good | {"exchange_id": f"e{n:03d}", "n": 1} for n in range(50, 70)]
    pq.write_table(pa.Table.from_pylist(again), two)
    fine = folder / "nanoseconds.parquet"
    table = pa.Table.from_pylist([good | {"exchange_id": "ns1"}, good | {"exchange_id": "e002"}])
    pq.write_table(table.set_column(0, "ts", table["ts"].cast(pa.timestamp("ns"))), fine)
    lines = folder / "late.ndjson"
    lines.write_text(
        '{"exchange_id":"j1","ts":"2026-01-05T10:00:00.25Z","account_id":"a2","model":"m","tools":["t"]}\n'
        '{"exchange_id":"e004","ts":"2026-01-05","account_id":"a2","model":"m"}\n'
        "not json\n"
    )
    (folder / "x.csv").write_text(
        "exchange_id,ts,account_id,model,tools\nc1,2026-01-05 10:00,a3,m,x;y\nc2,soon,a3,m,\n"
    )
    return [one, two, fine, lines, folder / "x.csv"]


def same(one: Ingested, other: Ingested, engines: tuple[Engine, Engine]) -> None:
    assert one.rejected.to_pylist() == other.rejected.to_pylist()
    assert one.rejected.num_rows
    assert (one.present, one.named, one.inputs) == (other.present, other.named, other.inputs)
    assert (one.rows_read, one.rows_kept) == (other.rows_read, other.rows_kept)
    key = one.table.columns[0]
    rows = [each.arrow(got.table).sort_by(key) for each, got in zip(engines, (one, other), strict=True)]
    assert rows[0].to_pylist() == rows[1].to_pylist()
    assert rows[0].schema.equals(rows[1].schema)


def test_every_format_is_read_and_rejected_the_same_on_both(logs: Path, engine: Engine, workers: Engine) -> None:
    paths = write_logs(logs)
    same(read_exchanges(paths, engine), read_exchanges(paths, workers), (engine, workers))


def test_a_damaged_file_is_refused_and_the_others_are_read(logs: Path, engine: Engine, workers: Engine) -> None:
    one, two, *_ = write_logs(logs)
    whole = bytearray(two.read_bytes())
    whole[40:400] = bytes(360)  # pages, not the footer
    two.write_bytes(whole)
    latin = pa.array(["a1"] * 2, pa.string()), pa.array([b"\xe9t\xe9", b"plain"], pa.binary()).view(pa.string())
    table = pa.table({"exchange_id": ["l1", "l2"], "ts": [DAY, DAY], "account_id": latin[0], "model": latin[1]})
    pq.write_table(table, logs / "latin.parquet")
    paths = [one, two, logs / "latin.parquet"]
    here, there = read_exchanges(paths, engine), read_exchanges(paths, workers)
    same(here, there, (engine, workers))
    refused = there.rejected.filter(pc.equal(there.rejected["row"], 0))
    assert refused["file"].to_pylist() == [str(two), str(logs / "latin.parquet")]


def test_a_table_of_the_catalogue_is_read_by_the_workers(logs: Path, spark: Any, workers: Engine) -> None:
    one, *_ = write_logs(logs)
    spark.sql("CREATE DATABASE IF NOT EXISTS logs")
    spark.read.parquet("file:" + str(one)).write.mode("overwrite").saveAsTable("logs.exchanges")
    expected = read_exchanges(one, workers.local)
    ours = ibis.pyspark.connect(spark).table("exchanges", database="logs")
    for source in ("spark://spark_catalog.logs.exchanges", ours, f"spark://parquet.`file:{one}`"):
        found = read_exchanges(source, workers)
        assert (found.rows_read, found.rows_kept) == (expected.rows_read, expected.rows_kept)
        assert found.rejected["mend"].num_chunks
        wanted = workers.local.arrow(expected.table).sort_by("exchange_id").to_pylist()
        assert workers.arrow(found.table).sort_by("exchange_id").to_pylist() == wanted
    accounts = read_accounts("spark://spark_catalog.logs.exchanges", workers)
    assert workers.arrow(accounts.table)["account_id"].to_pylist() == ["a1"]
    with pytest.raises(InputRefused, match="Spark knows no such table"):
        read_exchanges("spark://logs.nothing", workers)


def test_a_table_of_spark_is_a_misuse_of_the_embedded_engine(engine: Engine) -> None:
    with pytest.raises(UsageError, match="say --engine spark"):
        read_exchanges("spark://logs.exchanges", engine)


def test_the_error_of_a_worker_is_not_taken_for_damage(workers: Engine, spark: Any) -> None:
    def fail(batch: pa.RecordBatch) -> pa.RecordBatch:
        raise RuntimeError("out of order")

    rows = workers.map(
        "failing", workers.register("rows", ROWS.select(["who"])), fail, pa.schema([("who", pa.string())])
    )
    with pytest.raises(workers.errors) as caught:
        workers.arrow(rows)
    assert not workers.is_damage(caught.value)


def test_settings_of_a_session_that_was_there_are_put_back(spark: Any, tmp_path: Path) -> None:
    from stillwatch.ingest.spark.engine import SparkEngine

    spark.conf.set("spark.sql.caseSensitive", "false")
    with SparkEngine(tmp_path):
        assert spark.conf.get("spark.sql.caseSensitive") == "true"
    assert spark.conf.get("spark.sql.caseSensitive") == "false"
    assert spark.range(3).count() == 3
    assert list(tmp_path.iterdir()) == []
    spark.conf.set("spark.sql.caseSensitive", "true")


def test_without_pyspark_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from stillwatch.ingest.spark.engine import SparkEngine

    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingDependency, match=r"pip install 'stillwatch\[spark\]'"):
        SparkEngine(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_spark_connect_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from stillwatch.ingest.spark.engine import SparkEngine

    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1")
    with pytest.raises(UsageError, match="unset it and name a master"):
        SparkEngine(tmp_path)


@pytest.mark.parametrize(
    ("said", "kind", "mend"),
    [
        ("JAVA_HOME is not set", MissingDependency, "needs Java 17 or 21: install a JRE"),
        (
            "\nException in thread: Master must start with spark\n\tat Submit",
            UsageError,
            "Master must start with spark; check",
        ),
        ("", UsageError, "refused; check --spark-master"),
    ],
    ids=["no Java", "no such master", "nothing said"],
)
def test_a_session_that_cannot_be_had_says_why(said: str, kind: type[Exception], mend: str, tmp_path: Path) -> None:
    from stillwatch.ingest.spark.session import why_not

    (tmp_path / "spark.log").write_text(said)
    error = why_not(RuntimeError("refused"), "nonsense", tmp_path / "spark.log")
    assert isinstance(error, kind)
    assert mend in str(error)


def test_a_parcel_carries_large_arrays_apart() -> None:
    from stillwatch.ingest.spark.shipping import pack

    class Sent:
        def __init__(self, value: bytearray) -> None:
            self.value = value

    kernel = (np.arange(300_000), np.arange(3))
    parcel = pack(kernel, pickle.dumps, Sent)
    assert len(parcel.pickled) < 2_000
    assert len(parcel.arrays) == 1
    opened = parcel.open()
    assert all(np.array_equal(one, other) for one, other in zip(kernel, opened, strict=True))
    assert opened[0].flags.writeable
