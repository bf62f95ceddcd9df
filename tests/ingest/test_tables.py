"""Tables elsewhere: their URLs, the same rows from each kind, and what is said when one cannot be read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from stillwatch.ingest import tables
from stillwatch.ingest.engine import BATCH_ROWS, Engine
from stillwatch.ingest.read import read_accounts, read_exchanges
from stillwatch.ingest.tables import TableName, evenly, parse_url
from stillwatch.model import InputRefused, MissingDependency, UsageError
from tests.ingest.lakes import execute, write_delta, write_duckdb, write_iceberg, write_postgres
from tests.ingest.small_logs import column, exchange, ids, why

ROWS = [
    exchange(i, ip=None if i == 5 else "10.0.0.1", tools=None if i == 3 else ["search", "browse"]) for i in range(40)
]
KINDS = ("duckdb", "postgresql", "delta", "iceberg")


def arrow(rows: list[dict[str, Any]]) -> pa.Table:
    table = pa.Table.from_pylist(rows)
    times = (
        pa.array([row["ts"].removesuffix("Z") for row in rows]).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    )
    return table.set_column(table.column_names.index("ts"), "ts", times)


@pytest.fixture
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., str]:
    """A function that writes a table of a kind and returns its URL."""

    def make(kind: str, table: pa.Table, name: str = "exchanges") -> str:
        if kind == "duckdb":
            return write_duckdb(tmp_path / "log.duckdb", table, name)
        if kind == "postgresql":
            return write_postgres(request.getfixturevalue("postgres"), table, name)
        return (write_delta if kind == "delta" else write_iceberg)(tmp_path / f"{kind}-{name}", table)

    return make


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("duckdb:///logs/a.duckdb::main.log", TableName("duckdb", "/logs/a.duckdb", "main.log")),
        ("duckdb://a.duckdb", TableName("duckdb", "a.duckdb")),
        ("postgres://u:p@db:5432/logs::log", TableName("postgresql", "u:p@db:5432/logs", "log")),
        ("postgresql://[::1]", TableName("postgresql", "[::1]")),
        ("postgresql://[::1]:5432/logs::log", TableName("postgresql", "[::1]:5432/logs", "log")),
        ("DELTA:///lake/log", TableName("delta", "/lake/log")),
        ("logs/2026-09", None),
        ("C:\\logs", None),
    ],
)
def test_a_url_is_a_table_and_anything_else_a_path(text: str, name: TableName | None) -> None:
    assert parse_url(text) == name


@pytest.mark.parametrize(
    "place",
    [
        "reader:secret@db:5432/logs",
        "reader@db:5432/logs",
        "db:5432/logs?user=a&password=secret",
        "a:s@cret@db:5432/logs",
    ],
)
def test_a_label_has_no_credentials(place: str) -> None:
    assert TableName("postgresql", place, "log").label == "postgresql://db:5432/logs::log"


def test_an_unknown_kind_of_table_is_named_with_those_that_there_are(engine: Engine) -> None:
    with pytest.raises(UsageError, match=r"mysql://…: unknown kind of table; one of duckdb://, postgresql://"):
        read_exchanges("mysql://user:secret@db/logs::log", engine)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_rows_of_the_table_in_memory(
    kind: str, engine: Engine, made: Callable[..., str]
) -> None:
    log = read_exchanges(made(kind, arrow(ROWS)), engine)
    same = read_exchanges(arrow(ROWS), engine)
    assert engine.arrow(log.table).equals(engine.arrow(same.table))
    assert (log.present, log.rows_kept, log.rejected.num_rows) == (same.present, 40, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_of_a_table_is_its_label_rows_and_a_digest_that_stays(
    kind: str, engine: Engine, made: Callable[..., str]
) -> None:
    url = made(kind, arrow(ROWS))
    (one,), (two,) = (read_exchanges(url, engine).inputs for _ in range(2))
    assert one == two
    assert (one.path, one.format, one.rows) == (url.replace("keeper@", ""), "table", 40)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_columns_that_serve_are_read(kind: str, engine: Engine, made: Callable[..., str]) -> None:
    wide = arrow(ROWS).append_column("blob", pa.array([b"\0"] * 40)).append_column("note", pa.array(["x" * 9_000] * 40))
    assert read_exchanges(made(kind, wide), engine).inputs[0].bytes < 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_other_names_are_mapped_and_a_missing_one_is_said_with_the_field_that_would_mend_it(
    kind: str, engine: Engine, made: Callable[..., str]
) -> None:
    names = [{"account_id": "user_id"}.get(name, name) for name in arrow(ROWS).column_names]
    url = made(kind, arrow(ROWS).rename_columns(names))
    with pytest.raises(InputRefused, match=r"has no column 'account_id' .*--field user_id=account_id") as refused:
        read_exchanges(url, engine)
    assert "sesame" not in str(refused.value)
    assert column(engine, read_exchanges(url, engine, {"user_id": "account_id"}), "account_id")[:2] == ["a0", "a1"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_without_rows_is_an_input_without_rows(kind: str, engine: Engine, made: Callable[..., str]) -> None:
    assert read_exchanges(made(kind, arrow(ROWS).slice(0, 0)), engine).rows_kept == 0


@pytest.mark.parametrize("kind", ["duckdb", "postgresql"])
def test_an_unknown_table_is_said_with_the_nearest_name(kind: str, engine: Engine, made: Callable[..., str]) -> None:
    url = made(kind, arrow(ROWS))
    with pytest.raises(InputRefused, match=r"has no table 'exchangs'; did you mean '::exchanges'\?"):
        read_exchanges(url.replace("::exchanges", "::exchangs"), engine)
    with pytest.raises(InputRefused, match=r"name a table of it behind '::'; it has .*exchanges"):
        read_exchanges(url.replace("::exchanges", ""), engine)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_rows_of_a_table_are_set_aside_by_their_number(kind: str, engine: Engine, made: Callable[..., str]) -> None:
    rows = [*ROWS[:2], exchange(2, status=7), *ROWS[3:5], ROWS[1]]
    log = read_exchanges(made(kind, arrow(rows)), engine)
    assert why(log) == [(3, "status"), (6, "exchange_id")]
    assert ids(engine, log) == ["e00000", "e00001", "e00003", "e00004"]


@pytest.mark.parametrize("kind", KINDS)
def test_accounts_may_lie_in_a_table_too(kind: str, engine: Engine, made: Callable[..., str]) -> None:
    accounts = pa.table({"account_id": ["a0", "a1"], "plan": ["free", None]})
    assert column(engine, read_accounts(made(kind, accounts, "accounts"), engine), "plan") == ["free", None]


def test_tables_and_files_are_one_log(engine: Engine, made: Callable[..., str], tmp_path: Path) -> None:
    url = made("duckdb", arrow(ROWS[:20]))
    other = made("delta", arrow(ROWS[20:]))
    assert ids(engine, read_exchanges([url, other], engine)) == [row["exchange_id"] for row in ROWS]


def test_one_unreadable_table_loses_nothing_else(engine: Engine, made: Callable[..., str], tmp_path: Path) -> None:
    url = made("duckdb", arrow(ROWS))
    log = read_exchanges([f"delta://{tmp_path}/none", url], engine)
    assert log.rows_kept == 40
    (refused,) = log.rejected.to_pylist()
    assert (refused["row"], refused["file"]) == (0, f"delta://{tmp_path}/none")
    assert "no such folder on this machine" in refused["mend"]


def test_a_view_with_types_of_its_own_is_read(engine: Engine, postgres: str) -> None:
    execute(
        postgres,
        "CREATE SCHEMA IF NOT EXISTS odd",
        "CREATE TYPE odd.channel AS ENUM ('direct', 'cloud')",
        "CREATE VIEW odd.log AS SELECT gen_random_uuid() AS exchange_id, now() AS ts, 12::bigint AS account_id, "
        "'m'::varchar(9) AS model, '10.0.0.7/32'::inet AS ip, '[\"a\", \"b\"]'::jsonb AS tools, "
        "0.5::numeric AS temperature, 'cloud'::odd.channel AS channel, "
        "ARRAY['x']::text[] AS artefacts_in, true AS stream, 7::smallint AS turns",
    )
    log = read_exchanges(f"{postgres}::odd.log", engine)
    (row,) = engine.arrow(log.table).to_pylist()
    assert (row["account_id"], row["ip"], row["tools"]) == ("12", "10.0.0.7", ["a", "b"])
    assert (row["temperature"], row["channel"], row["artefacts_in"]) == (0.5, "cloud", ["x"])
    assert (row["stream"], row["turns"], len(row["exchange_id"])) == (True, 7, 36)


@pytest.mark.parametrize(
    ("place", "mend"),
    [
        ("reader:hunter2@127.0.0.1:1/logs", "no server answers there"),
        ("reader:hunter2@nowhere.invalid/logs", "its host is not known"),
        ("reader:hunter2@[oops/logs", "cannot be read"),
    ],
)
def test_who_cannot_be_reached_is_said_without_the_password(engine: Engine, place: str, mend: str) -> None:
    with pytest.raises(InputRefused, match=mend) as refused:
        read_exchanges(f"postgresql://{place}::log", engine)
    assert "hunter2" not in str(refused.value)
    assert "reader" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({"keeper@": "keeper:wrong@"}, "user or password are refused"),
        ({"keeper@": "stranger@"}, "user or password are refused"),
        ({"/postgres": "/nowhere"}, "the database does not exist there"),
    ],
)
def test_what_the_server_refuses_is_said_with_what_to_check(
    engine: Engine, postgres: str, change: dict[str, str], mend: str
) -> None:
    url = postgres
    for old, new in change.items():
        url = url.replace(old, new)
    with pytest.raises(InputRefused, match=mend) as refused:
        read_exchanges(f"{url}::log", engine)
    assert "wrong" not in str(refused.value)


def test_a_table_that_may_not_be_read_is_said(engine: Engine, postgres: str) -> None:
    execute(
        postgres,
        "CREATE TABLE IF NOT EXISTS closed (exchange_id text, ts timestamptz, account_id text, model text)",
        "CREATE ROLE guest LOGIN PASSWORD 'sesame-4711'",
    )
    with pytest.raises(InputRefused, match="ask for GRANT SELECT"):
        read_exchanges(postgres.replace("keeper@", "guest@") + "::closed", engine)


def test_a_duckdb_file_that_is_none_or_is_written_to_is_said(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("no database at all " * 999)
    for place, mend in (("none.duckdb", "no such file"), ("text.duckdb", "is not a DuckDB file")):
        with pytest.raises(InputRefused, match=mend):
            read_exchanges(f"duckdb://{tmp_path}/{place}::log", engine)


@pytest.mark.parametrize(
    ("kind", "mend"), [("delta", "has no folder _delta_log"), ("iceberg", "has no folder metadata")]
)
def test_a_folder_that_is_no_table_is_said(engine: Engine, tmp_path: Path, kind: str, mend: str) -> None:
    with pytest.raises(InputRefused, match=mend):
        read_exchanges(f"{kind}://{tmp_path}", engine)


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_a_lake_that_lost_a_file_is_said(kind: str, engine: Engine, made: Callable[..., str], tmp_path: Path) -> None:
    url = made(kind, arrow(ROWS))
    next((tmp_path / f"{kind}-exchanges").rglob("*.parquet")).unlink()
    with pytest.raises(InputRefused, match="lacks a file"):
        read_exchanges(url, engine)


def test_an_iceberg_table_is_read_by_its_metadata_file_too_and_the_newest_is_taken(
    engine: Engine, made: Callable[..., str], tmp_path: Path
) -> None:
    made("iceberg", arrow(ROWS[:10]))
    made("iceberg", arrow(ROWS[10:]))  # appends
    folder = tmp_path / "iceberg-exchanges"
    assert read_exchanges(f"iceberg://{folder}", engine).rows_kept == 40
    first = sorted(folder.glob("metadata/00001-*.metadata.json"))[0]
    assert read_exchanges(f"iceberg://{first}", engine).rows_kept == 10
    first.with_name("00002-twin.metadata.json").write_bytes(first.read_bytes())
    with pytest.raises(
        InputRefused, match=r"two metadata files of one version .*; give the one that your catalog names"
    ):
        read_exchanges(f"iceberg://{folder}", engine)


def test_a_missing_package_is_said_with_what_to_install(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "_delta_log").mkdir()
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(MissingDependency, match=r'pip install "stillwatch\[delta\]"'):
        read_exchanges(f"delta://{tmp_path}", engine)


def test_what_is_stored_does_not_depend_on_how_rows_arrive() -> None:
    table = pa.table({"n": range(2 * BATCH_ROWS + 5)})
    schema = table.schema
    for size in (7_001, BATCH_ROWS, 3 * BATCH_ROWS):
        pieces = list(evenly(iter(table.to_batches(max_chunksize=size)), schema))
        assert [piece.num_rows for piece in pieces] == [BATCH_ROWS, BATCH_ROWS, 5]
        assert pa.concat_tables(pieces).equals(table)


def test_every_kind_of_table_has_an_opener_that_opens() -> None:
    for scheme in tables.OPENERS:
        assert hasattr(tables.open_table(TableName(scheme, "x")), "batches")


def test_a_view_of_a_duckdb_file_is_read(engine: Engine, made: Callable[..., str], tmp_path: Path) -> None:
    made("duckdb", arrow(ROWS))
    with duckdb.connect(str(tmp_path / "log.duckdb")) as con:
        con.execute('CREATE SCHEMA s; CREATE VIEW s."a view" AS SELECT * FROM exchanges WHERE status = 200 LIMIT 3')
    assert read_exchanges(f"duckdb://{tmp_path}/log.duckdb::s.a view", engine).rows_kept == 3


def test_a_connection_that_is_lost_on_the_way_is_said(postgres: str) -> None:
    execute(
        postgres, "CREATE TABLE long AS SELECT repeat(md5(i::text), 16) AS prompt FROM generate_series(1, 100000) i"
    )
    batches = tables.open_table(parse_url(f"{postgres}::long")).batches(["prompt"])  # type: ignore[arg-type]
    next(batches)
    execute(
        postgres,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query LIKE '%\"long\"%' AND pid <> pg_backend_pid()",
    )
    with pytest.raises(InputRefused, match="the connection was lost; try again"):
        list(batches)
