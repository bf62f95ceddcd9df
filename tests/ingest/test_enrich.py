"""Cells of a log filled from reference files: where, where not, and in which order rows stay."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.enrich import fill, read_references
from stillwatch.ingest.read import read_exchanges
from tests.ingest.small_logs import column, exchange, ids, write_ndjson

ASN = "10.0.0.0,10.0.0.127,64501,Lower\n10.0.0.128,10.0.0.255,64502,Upper\n2001:db8::,2001:db8::ffff,64503,Six\n"
COUNTRY = "10.0.0.0,10.0.0.255,DE\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    asn, country = tmp_path / "asn.csv", tmp_path / "country.csv"
    asn.write_text(ASN)
    country.write_text(COUNTRY)
    return asn, country


def test_null_cells_are_filled_and_the_log_s_own_cells_win(
    engine: Engine, logs: Path, files: tuple[Path, Path]
) -> None:
    rows = [
        exchange(0, ip="10.0.0.5", asn=None),
        exchange(1, ip="10.0.0.200", asn=7, country="fr"),
        exchange(2, ip="2001:DB8:0::12", asn=None),
        exchange(3, ip="192.0.2.1", asn=None),
        exchange(4, ip=None, asn=None),
        exchange(5, ip="::ffff:10.0.0.200", asn=None),
    ]
    log = read_exchanges(write_ndjson(logs / "a.ndjson", rows), engine)
    filled, cells = fill(log, read_references(files), engine)
    assert column(engine, filled, "asn") == [64501, 7, 64503, None, None, 64502]
    assert column(engine, filled, "country") == ["DE", "FR", None, None, None, "DE"]
    assert cells == {"asn": 3, "country": 2}
    assert filled.table.schema() == log.table.schema()


def test_rows_keep_their_order_and_their_values_where_others_were_rejected(
    engine: Engine, logs: Path, files: tuple[Path, Path]
) -> None:
    rows = [exchange(i, ip=f"10.0.0.{i % 256}", asn=None) for i in range(70_000)]
    for at in range(0, 70_000, 997):
        rows[at]["status"] = 9_999  # rejected
    pq.write_table(pa.Table.from_pylist(rows), logs / "a.parquet", row_group_size=5_000)
    log = read_exchanges(logs / "a.parquet", engine)
    filled, cells = fill(log, read_references(files), engine)
    assert ids(engine, filled) == ids(engine, log)
    kept = [row for at, row in enumerate(rows) if at % 997]
    assert column(engine, filled, "asn") == [64501 if int(r["ip"].split(".")[3]) < 128 else 64502 for r in kept]
    assert column(engine, filled, "prompt") == [row["prompt"] for row in kept]
    assert cells == {"asn": len(kept), "country": len(kept)}


def test_a_column_that_was_filled_is_present_and_one_that_was_not_is_not(
    engine: Engine, logs: Path, files: tuple[Path, Path]
) -> None:
    rows = [{k: v for k, v in exchange(i, ip="2001:db8::1").items() if k != "asn"} for i in range(3)]
    log = read_exchanges(write_ndjson(logs / "a.ndjson", rows), engine)
    assert not {"asn", "country"} & log.present
    filled, _ = fill(log, read_references(files), engine)
    assert {"asn", "country"} & filled.present == {"asn"}


def test_without_addresses_or_without_files_the_log_comes_back_as_it_is(
    engine: Engine, logs: Path, files: tuple[Path, Path]
) -> None:
    log = read_exchanges(write_ndjson(logs / "a.ndjson", [exchange(0, ip=None)]), engine)
    assert fill(log, read_references(files), engine) == (log, {"asn": 0, "country": 0})
    assert fill(log, read_references(()), engine) == (log, {})


def test_of_two_files_the_narrower_range_says(engine: Engine, logs: Path, files: tuple[Path, Path]) -> None:
    narrow = files[0].with_name("narrow.csv")
    narrow.write_text("10.0.0.64,10.0.0.64,64999,One\n")
    rows = [exchange(i, ip=f"10.0.0.{63 + i}", asn=None) for i in range(3)]
    log = read_exchanges(write_ndjson(logs / "a.ndjson", rows), engine)
    filled, _ = fill(log, read_references((files[0], narrow)), engine)
    assert column(engine, filled, "asn") == [64501, 64999, 64501]


def test_the_manifest_s_words_name_each_file_with_its_hash_and_age(files: tuple[Path, Path]) -> None:
    (asn, country) = read_references(files).described()
    assert (asn["path"], asn["says"], asn["rows"]) == (str(files[0]), ["asn"], 3)
    assert (asn["dated"], asn["rejected"]) == (None, 0)
    assert len(country["sha256"]) == 64
