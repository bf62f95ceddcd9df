"""One log in a file, in a database and in a lake is one run; and what a log lacks about addresses can be given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from tests.ingest.lakes import write_delta, write_duckdb, write_iceberg, write_postgres

pytestmark = pytest.mark.slow
TABLES = ("verdicts", "campaigns", "evidence", "flagged")


@pytest.fixture(scope="module")
def from_files(small_traffic: Path) -> sw.Run:
    return sw.detect(small_traffic / "exchanges.parquet", small_traffic / "accounts.parquet")


def plain(path: Path) -> pa.Table:
    """A table without dictionaries, which few tables elsewhere know."""
    table = pq.read_table(path)
    kinds = [each.type.value_type if pa.types.is_dictionary(each.type) else each.type for each in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


@pytest.mark.parametrize("kind", ["duckdb", "postgresql", "delta", "iceberg"])
def test_the_same_log_as_a_table_gives_the_same_run(
    kind: str, small_traffic: Path, from_files: sw.Run, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = request.getfixturevalue("postgres") if kind == "postgresql" else ""
    write: dict[str, Callable[[pa.Table, str], str]] = {
        "duckdb": lambda table, name: write_duckdb(tmp_path / "all.duckdb", table, name),
        "postgresql": lambda table, name: write_postgres(postgres, table, name),
        "delta": lambda table, name: write_delta(tmp_path / name, table),
        "iceberg": lambda table, name: write_iceberg(tmp_path / name, table),
    }
    urls = [write[kind](plain(small_traffic / f"{name}.parquet"), name) for name in ("exchanges", "accounts")]
    run = sw.detect(*urls)
    assert run.campaigns.num_rows
    for table in TABLES:
        assert getattr(run, table).equals(getattr(from_files, table)), table
    assert [each["path"] for each in run.manifest["inputs"]] == [url.replace("keeper@", "") for url in urls]


@pytest.fixture(scope="module")
def reference(small_traffic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the log says of each of its addresses, as a table of ranges of one address."""
    known = pq.read_table(small_traffic / "exchanges.parquet", columns=["ip", "asn", "country"])
    said = known.filter(pc.is_valid(known["ip"])).group_by(["ip", "asn", "country"]).aggregate([]).to_pylist()
    path = tmp_path_factory.mktemp("reference") / "addresses.tsv"
    path.write_text("".join(f"{row['ip']}\t{row['ip']}\t{row['asn']}\t{row['country']}\n" for row in said))
    return path


def test_a_log_without_systems_gives_the_same_run_where_reference_files_say_them(
    small_traffic: Path, from_files: sw.Run, reference: Path
) -> None:
    bare = pq.read_table(small_traffic / "exchanges.parquet").drop_columns(["asn", "country"])
    accounts = small_traffic / "accounts.parquet"
    alone = sw.detect(bare, accounts)
    assert "hosting-egress" in {each["signal"] for each in alone.manifest["signals_not_evaluated"]}
    run = sw.detect(bare, accounts, settings=sw.Settings(enrich=(reference,)))
    for table in TABLES:
        assert getattr(run, table).equals(getattr(from_files, table)), table
    filled = run.manifest["enrichment"]["filled"]
    assert filled["asn"] == filled["country"] > 0


def test_lists_add_words_and_no_bits(small_traffic: Path, from_files: sw.Run, tmp_path: Path) -> None:
    members = set(from_files.stories[0].campaign.members)
    rows = pq.read_table(small_traffic / "exchanges.parquet", columns=["account_id", "ip"]).to_pylist()
    accounts = pq.read_table(small_traffic / "accounts.parquet").to_pylist()
    networks, domains = tmp_path / "rented.txt", tmp_path / "disposable.txt"
    networks.write_text("".join(f"{each}\n" for each in sorted({r["ip"] for r in rows if r["account_id"] in members})))
    held = {each["email_domain"] for each in accounts if each["account_id"] in members and each["email_domain"]}
    domains.write_text("".join(f"{each}\n" for each in sorted(held)))
    settings = sw.Settings(enrich=(networks, domains))
    run = sw.detect(small_traffic / "exchanges.parquet", small_traffic / "accounts.parquet", settings=settings)
    for table in TABLES:
        assert getattr(run, table).equals(getattr(from_files, table)), table
    told = [claim.text for claim in run.stories[0].campaign.claims if claim.grade is sw.Grade.REPORTED]
    assert [text.partition(" (")[0] for text in told] == [
        "100% of its members' addresses are on the list rented",
        "100% of its members' mail domains are on the list disposable",
    ]
