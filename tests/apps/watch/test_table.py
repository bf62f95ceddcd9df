"""A table of a database, row by row as they become visible."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from stillwatch.apps.watch.sources import known_columns
from stillwatch.apps.watch.table import Table, connect_to
from stillwatch.apps.watch.windows import SECOND
from stillwatch.model import UsageError
from tests.apps.watch.small import LATE, Desk, at

COLUMNS = "id BIGINT, exchange_id VARCHAR, ts TIMESTAMPTZ, account_id VARCHAR, model VARCHAR, seen TIMESTAMP, odd INT[]"


class Database:
    """A DuckDB file that another process would write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run(f"CREATE TABLE log ({COLUMNS})")

    def run(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as con:
            con.execute("SET TimeZone = 'UTC'")
            con.execute(sql)

    def add(self, number: int, minutes: float) -> None:
        moment = dt.datetime.fromtimestamp(at(minutes) / SECOND, dt.UTC)
        times = f"'{moment.isoformat()}'"
        seen = f"'{moment.replace(tzinfo=None).isoformat()}'"
        self.run(f"INSERT INTO log VALUES ({number}, 'e{number:05d}', {times}, 'a1', 'm', {seen}, [1])")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "log.duckdb")


def desk_over(database: Database, folder: Path, by: str = "id") -> Desk:
    desk = Desk(folder)
    connect = lambda: connect_to(str(database.path))  # noqa: E731
    desk.source = Table("log", by, connect, desk.store().scratch, known_columns({}), LATE)
    return desk


@pytest.mark.parametrize("by", ["id", "ts", "seen"])
def test_each_row_is_read_once(database: Database, tmp_path: Path, by: str) -> None:
    desk = desk_over(database, tmp_path, by)
    for number in range(4):
        database.add(number, 10 * number)
        desk.sweep(10 * number)
        desk.sweep(10 * number + 5)
    desk.sweep(61)
    desk.sweep(62)
    assert desk.segments() == [["e00000", "e00001", "e00002", "e00003"]]
    assert desk.store().load().positions["log"]["high"] in (3, "2026-03-01T00:30:00+00:00", "2026-03-01T00:30:00")


def test_a_row_whose_transaction_ends_late_is_read_all_the_same(database: Database, tmp_path: Path) -> None:
    desk = desk_over(database, tmp_path)
    database.add(2, 5)
    desk.sweep(5)
    database.add(1, 5)  # a lower id, visible only now
    desk.sweep(5.5)
    desk.sweep(61)
    desk.sweep(62)
    assert desk.segments() == [["e00001", "e00002"]]


def test_a_window_waits_until_the_table_was_read_to_its_end(database: Database, tmp_path: Path) -> None:
    desk = desk_over(database, tmp_path)
    database.add(1, 5)
    desk.sweep(5)
    desk.sweep(6)
    database.add(2, 59)
    assert desk.sweep(60.5) == []  # over, but 2 was not there long enough to count
    (found,) = desk.sweep(61)
    assert found.segment.rows == 2


def test_once_reads_what_is_there(database: Database, tmp_path: Path) -> None:
    for number in range(3):
        database.add(number, number)
    desk = desk_over(database, tmp_path)
    desk.now = at(90)
    desk.once()
    assert desk.segments() == [["e00000", "e00001", "e00002"]]
    desk.once()
    assert len(desk.segments()) == 1


def test_an_empty_table_is_silence(database: Database, tmp_path: Path) -> None:
    desk = desk_over(database, tmp_path)
    desk.now = at(90)
    desk.once()
    assert desk.segments() == []


def test_a_database_that_is_gone_is_an_outage(database: Database, tmp_path: Path) -> None:
    desk = desk_over(database, tmp_path)
    database.add(1, 5)
    desk.sweep(10)
    database.path.rename(tmp_path / "away.duckdb")
    desk.sweep(11)
    assert desk.said == [f"{database.path}: there is no such file; tried again until it answers"]
    (tmp_path / "away.duckdb").rename(database.path)
    for minutes in (12, 61, 62):
        desk.sweep(minutes)
    assert desk.segments() == [["e00001"]]


def test_a_table_that_is_not_there_is_an_outage_too(database: Database, tmp_path: Path) -> None:
    desk = desk_over(database, tmp_path)
    database.run("ALTER TABLE log RENAME TO other")
    desk.sweep(10)
    assert len(desk.said) == 1


@pytest.mark.parametrize("by", ["number", "exchange_id"])
def test_a_column_that_can_not_serve_is_misuse(database: Database, tmp_path: Path, by: str) -> None:
    with pytest.raises(UsageError, match="--by"):
        desk_over(database, tmp_path, by).sweep(10)


def test_bad_rows_are_told_with_where_they_stood(database: Database, tmp_path: Path) -> None:
    desk = desk_over(database, tmp_path)
    database.add(1, 5)
    database.run("INSERT INTO log VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL)")
    desk.now = at(90)
    desk.once()
    assert [(one["file"], one["row"], one["field"]) for one in desk.rejected()] == [
        ("log (id from the first to 2)", 2, "exchange_id")
    ]
