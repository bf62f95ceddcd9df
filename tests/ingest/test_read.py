from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.columns import EXCHANGE_COLUMNS
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_accounts, read_exchanges, read_licences
from stillwatch.model import InputRefused, UsageError
from tests.ingest.small_logs import column, exchange, ids, why, write_csv, write_ndjson

ROWS = [exchange(i) for i in range(40)]


def every_form(folder: Path) -> dict[str, Any]:
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, folder / "a.parquet", row_group_size=7)
    write_ndjson(folder / "a.ndjson", ROWS)
    write_csv(folder / "a.csv", ROWS)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress((folder / "a.ndjson").read_bytes()))
    for name in ("a.ndjson", "a.csv"):
        with pa.output_stream(folder / f"{name}.zst", compression="zstd") as out:
            out.write((folder / name).read_bytes())
    files = {path.name: path for path in sorted(folder.iterdir())}
    return files | {
        "arrow": table,
        "pandas": pd.DataFrame(ROWS),
        "polars": pl.DataFrame(ROWS),
        "ibis": ibis.memtable(table),
    }


def test_every_format_gives_the_same_rows_in_the_same_order(engine: Engine, logs: Path) -> None:
    answers = {name: read_exchanges(source, engine) for name, source in every_form(logs).items()}
    tables = {name: engine.arrow(answer.table) for name, answer in answers.items()}
    for name, table in tables.items():
        assert table.schema.names == [c.name for c in EXCHANGE_COLUMNS], name
        assert table.equals(tables["a.parquet"]), name
        assert answers[name].present == set(ROWS[0]), name
        assert (answers[name].rows_read, answers[name].rows_kept, answers[name].rejected.num_rows) == (40, 40, 0), name
    assert tables["a.csv"].schema.field("ts").type == pa.timestamp("us")
    assert tables["a.csv"]["prompt"].to_pylist() == [row["prompt"] for row in ROWS]


def test_inputs_say_name_format_size_and_hash(engine: Engine, logs: Path) -> None:
    path = write_ndjson(logs / "a.ndjson", ROWS)
    (one,) = read_exchanges(path, engine).inputs
    assert (one.path, one.format, one.bytes, one.rows) == (str(path), "ndjson", path.stat().st_size, 40)
    assert len(one.sha256) == 64
    (frame,) = read_exchanges(pa.Table.from_pylist(ROWS), engine).inputs
    assert (frame.path, frame.format, frame.rows) == ("<arrow>", "memory", 40)


def test_a_folder_is_read_sorted_with_mixed_formats_and_without_what_is_hidden(engine: Engine, logs: Path) -> None:
    (logs / "day2").mkdir()
    write_csv(logs / "day2" / "a.csv", ROWS[20:30])
    write_ndjson(logs / "day1.ndjson", ROWS[:10])
    pq.write_table(pa.Table.from_pylist(ROWS[10:20]), logs / "day1b.parquet")
    write_ndjson(logs / ".hidden.ndjson", ROWS[30:])
    (logs / "README.md").write_text("not a log")
    got = read_exchanges(logs, engine)
    assert ids(engine, got) == [row["exchange_id"] for row in ROWS[:30]]
    assert ids(engine, read_exchanges(str(logs / "*.ndjson"), engine)) == [row["exchange_id"] for row in ROWS[:10]]


def test_many_pieces_of_different_shape_keep_their_order(engine: Engine, logs: Path) -> None:
    paths = []
    for k in range(4):
        rows = ROWS[2 * k : 2 * k + 2]
        if k % 2:
            paths.append(write_ndjson(logs / f"{k:02d}.ndjson", rows))
        else:
            paths.append(logs / f"{k:02d}.parquet")
            pq.write_table(pa.Table.from_pylist(rows), paths[-1])
    assert ids(engine, read_exchanges(paths, engine)) == [row["exchange_id"] for row in ROWS[:8]]


def test_a_file_named_twice_is_read_once(engine: Engine, logs: Path) -> None:
    path = write_ndjson(logs / "a.ndjson", ROWS)
    assert read_exchanges([path, str(logs), path], engine).rows_read == 40


def test_a_repeated_id_keeps_its_first_row_across_files(engine: Engine, logs: Path) -> None:
    first = logs / "b.parquet"
    pq.write_table(pa.Table.from_pylist([ROWS[0], ROWS[1], ROWS[0]]), first)
    second = write_ndjson(logs / "a.ndjson", [ROWS[1], exchange(2, status=9), ROWS[2], ROWS[3]])
    got = read_exchanges([first, second], engine)
    assert ids(engine, got) == ["e00000", "e00001", "e00002", "e00003"]
    assert why(got) == [(3, "exchange_id"), (1, "exchange_id"), (2, "status")]
    assert f"{first}:1" in got.rejected["mend"][0].as_py()
    assert got.rows_kept == 4


@pytest.mark.parametrize("twice", [90, 900])
def test_many_repeats_leave_the_order_as_it_was(engine: Engine, logs: Path, twice: int) -> None:
    names = [f"e{i}" for i in range(30_000)]
    for name, some in (("b", names[:20_000]), ("a", names[20_000 - twice :])):
        same = {column: [value] * len(some) for column, value in (("account_id", "a"), ("model", "m"))}
        table = pa.table({"exchange_id": some, "ts": ["2025-03-01"] * len(some), **same})
        pq.write_table(table, logs / f"{name}.parquet", row_group_size=1_000)
    got = read_exchanges([logs / "b.parquet", logs / "a.parquet"], engine)
    assert ids(engine, got) == names
    assert why(got) == [(i + 1, "exchange_id") for i in range(twice)]


def test_fields_map_their_names_to_ours(engine: Engine, logs: Path) -> None:
    rows = [{"user": "u1", "when it was": 1740823200, **exchange(i)} for i in range(3)]
    for row in rows:
        del row["ts"]
    fields = {"user": "account_id", "when it was": "ts"}
    for path in (write_ndjson(logs / "a.ndjson", rows), write_csv(logs / "a.csv", rows)):
        got = read_exchanges(path, engine, fields)
        assert column(engine, got, "account_id") == ["u1"] * 3
        assert str(column(engine, got, "ts")[0]) == "2025-03-01 10:00:00"


def test_a_mapping_that_fits_nothing_suggests_the_near_name(engine: Engine, logs: Path) -> None:
    path = write_ndjson(logs / "a.ndjson", [{**exchange(), "user_name": "u"}])
    with pytest.raises(UsageError, match="did you mean 'account_id'"):
        read_exchanges(path, engine, {"user_name": "acount_id"})
    with pytest.raises(UsageError, match="no input has a column 'username', did you mean 'user_name'"):
        read_exchanges(path, engine, {"username": "account_id"})


def test_a_missing_required_column_is_said_with_what_is_there(engine: Engine, logs: Path) -> None:
    path = write_csv(logs / "a.csv", [{"user": "u", "timestamp": 1, "exchange_id": "e", "model": "m"}])
    with pytest.raises(InputRefused, match="--field timestamp=ts --field user=account_id") as caught:
        read_exchanges(path, engine)
    assert "it has user, timestamp, exchange_id, model" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "mend"),
    [
        ("a.parquet", b"hello", "not a whole Parquet file"),
        ("a.ndjson.gz", gzip.compress(b'{"exchange_id":1}\n' * 9000)[:-30], "truncated"),
        ("a.csv.zst", b"hello", "not a whole zstd archive"),
        ("a.json", b'[{"exchange_id": 1},\n {"exchange_id": 2}]', "jq -c"),
        ("a.ndjson", b"hello\nworld\n", "no line is a JSON object"),
        ("a.csv", "exchange_id,ts\n".encode("utf-16"), "UTF-16"),
        ("a.txt", b"hello", "must end in"),
    ],
)
def test_a_bad_file_is_refused_alone_and_the_rest_is_read(
    engine: Engine, logs: Path, name: str, data: bytes, mend: str
) -> None:
    (logs / name).write_bytes(data)
    good = write_ndjson(logs / "z.ndjson", ROWS)
    with pytest.raises(InputRefused, match=mend) as caught:
        read_exchanges(logs / name, engine)
    assert str(logs / name) in str(caught.value)
    got = read_exchanges([logs / name, good], engine)
    assert got.rows_kept == 40
    (row,) = got.rejected.to_pylist()
    assert (row["file"], row["row"]) == (str(logs / name), 0)


def test_an_archive_that_breaks_off_late_takes_none_of_its_neighbours_along(engine: Engine, logs: Path) -> None:
    long = write_ndjson(logs / "long", [exchange(1000 + i, prompt=f"{i:x}" * 900) for i in range(1500)])
    (logs / "b.ndjson.gz").write_bytes(gzip.compress(long.read_bytes(), 0)[:-900_000])
    write_ndjson(logs / "a.ndjson", ROWS[:20])
    write_ndjson(logs / "c.ndjson", ROWS[20:])
    got = read_exchanges(logs, engine)
    assert ids(engine, got) == [row["exchange_id"] for row in ROWS]
    assert (got.rows_read, got.rejected.num_rows) == (40, 1)
    assert "truncated" in got.rejected["mend"][0].as_py()


def test_a_parquet_file_with_a_damaged_page_is_refused_alone(engine: Engine, logs: Path) -> None:
    table = pa.Table.from_pylist([exchange(i, prompt="x" * 3000 + str(i)) for i in range(200)])
    for name in ("a.parquet", "b.parquet"):
        pq.write_table(table if name == "a.parquet" else pa.Table.from_pylist(ROWS), logs / name, compression="zstd")
    data = bytearray((logs / "a.parquet").read_bytes())
    at = bytes(data).index(b"\x28\xb5\x2f\xfd") + 4  # inside the first compressed page
    data[at : at + 200] = b"\xff" * 200
    (logs / "a.parquet").write_bytes(data)
    got = read_exchanges([logs / "a.parquet", logs / "b.parquet"], engine)
    assert got.rows_kept == 40
    assert "damaged pages" in got.rejected["mend"][0].as_py()


def test_nothing_matched_is_refused(engine: Engine, logs: Path) -> None:
    with pytest.raises(InputRefused, match="no file matched"):
        read_exchanges(logs / "*.parquet", engine)
    with pytest.raises(UsageError, match="cannot read exchanges from a int"):
        read_exchanges(7, engine)


def test_an_hour_without_traffic_is_an_empty_table(engine: Engine, logs: Path) -> None:
    (logs / "a.ndjson").write_bytes(b"")
    (logs / "b.csv").write_text("exchange_id,ts,account_id,model\n")
    got = read_exchanges(logs, engine)
    assert (got.rows_read, ids(engine, got), got.present) == (0, [], frozenset())


def test_the_accepted_rows_stream_in_order_after_rejections(engine: Engine, logs: Path) -> None:
    n = 60_000
    table = pa.table(
        {
            "exchange_id": [f"e{i}" for i in range(n)],
            "ts": pa.array(range(1_740_000_000, 1_740_000_000 + n)),
            "account_id": ["a"] * n,
            "model": ["m"] * n,
            "status": [200 if i % 9 else 7 for i in range(n)],
        }
    )
    pq.write_table(table, logs / "a.parquet", row_group_size=5_000)
    got = read_exchanges(logs, engine)
    streamed = [x for batch in engine.stream(got.table.select("exchange_id"), 1000) for x in batch[0].to_pylist()]
    assert streamed == [f"e{i}" for i in range(n) if i % 9]


def test_accounts_and_licences_are_read_with_their_own_rules(engine: Engine, logs: Path) -> None:
    people = [{"account_id": "a", "created_at": "2024-01-01", "signup_ip": "2001:DB8::1"}, {"account_id": "a"}]
    got = read_accounts(write_ndjson(logs / "a.ndjson", people), engine)
    assert why(got) == [(2, "account_id")]
    assert column(engine, got, "signup_ip") == ["2001:db8::1"]
    (logs / "l.csv").write_text(
        "licence_id,org_id,account_id,models,valid_until\nL1,org,,m-1;m-2,9999-12-31\nL2,,,m,\nL1,,a7,,\n"
    )
    licences = read_licences(logs / "l.csv", engine)
    assert why(licences) == [(3, "account_id")]
    assert column(engine, licences, "models") == [["m-1", "m-2"], None]
