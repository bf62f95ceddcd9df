"""The generator: same seed same bytes, the contract's columns, complete labels, names that tell nothing."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from stillwatch.ingest.columns import ACCOUNT_COLUMNS, EXCHANGE_COLUMNS, LICENCE_COLUMNS
from stillwatch.lab.cast import CAST
from stillwatch.lab.cli import app
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import ABSENT, write_traffic

SMALL = Request(exchanges=14_000, accounts=1_000, seed=3)
KINDS = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "array<string>": pa.list_(pa.field("element", pa.string())),
}


def fingerprints(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_gives_the_same_bytes(traffic_dir: Path, tmp_path: Path) -> None:
    write_traffic(compose(SMALL), tmp_path)
    assert fingerprints(tmp_path) == fingerprints(traffic_dir)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_does_not_show(traffic_dir: Path, tmp_path: Path, threads: int) -> None:
    write_traffic(compose(SMALL, threads), tmp_path, threads=threads)
    assert fingerprints(tmp_path) == fingerprints(traffic_dir)


def test_traffic_says_what_it_is(traffic_dir: Path) -> None:
    told = json.loads((traffic_dir / "labels" / "traffic.json").read_text())
    assert told["request"]["exchanges"] == SMALL.exchanges
    assert (told["seed"], told["split"], told["material"]["name"]) == (3, "tuning", "own")
    assert told["counts"]["exchanges"] == pq.read_metadata(traffic_dir / "exchanges.parquet").num_rows
    assert told["counts"]["accounts"] == pq.read_metadata(traffic_dir / "accounts.parquet").num_rows
    assert told["counts"]["planted_exchanges"] == pq.read_metadata(traffic_dir / "labels/exchanges.parquet").num_rows


def test_another_seed_gives_other_traffic(traffic_dir: Path, tmp_path: Path) -> None:
    write_traffic(compose(replace(SMALL, seed=4)), tmp_path, text=False)
    ours = set(pq.read_table(traffic_dir / "accounts.parquet")["account_id"].to_pylist())
    assert not ours & set(pq.read_table(tmp_path / "accounts.parquet")["account_id"].to_pylist())


def test_columns_and_types_are_those_of_the_contract(traffic_dir: Path) -> None:
    for file, contract in (("exchanges", EXCHANGE_COLUMNS), ("accounts", ACCOUNT_COLUMNS)):
        schema = pq.read_schema(traffic_dir / f"{file}.parquet")
        expected = {column.name: KINDS[column.kind] for column in contract if column.name not in ABSENT}
        assert {field.name: field.type for field in schema} == expected
    with (traffic_dir / "licences.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == [column.name for column in LICENCE_COLUMNS]
    assert rows[0]["org_id"] in pq.read_table(traffic_dir / "accounts.parquet")["org_id"].to_pylist()


def test_required_columns_are_filled_and_ids_are_unique(traffic_dir: Path) -> None:
    table = pq.read_table(traffic_dir / "exchanges.parquet")
    for column in EXCHANGE_COLUMNS:
        if column.required or column.name == "prompt":
            assert table[column.name].null_count == 0
    assert pc.count_distinct(table["exchange_id"]).as_py() == len(table)


def test_exchanges_are_sorted_by_time_and_within_the_span(traffic_dir: Path) -> None:
    moments = pq.read_table(traffic_dir / "exchanges.parquet")["ts"].cast(pa.int64()).to_numpy()
    assert (np.diff(moments) >= 0).all()
    assert moments[-1] - moments[0] <= 14 * 86_400_000_000


def test_labels_are_complete(traffic_dir: Path) -> None:
    labels = pq.read_table(traffic_dir / "labels" / "accounts.parquet").to_pylist()
    accounts = pq.read_table(traffic_dir / "accounts.parquet")["account_id"].to_pylist()
    assert sorted(row["account_id"] for row in labels) == sorted(accounts)
    assert {row["lookalike"] for row in labels} - {None} == {part.name for part in CAST if "tuning" in part.splits}
    assert not any(row["campaign"] and row["lookalike"] for row in labels)
    guilty = {row["account_id"]: row["campaign"] for row in labels if row["campaign"]}
    harvest = pq.read_table(traffic_dir / "labels" / "exchanges.parquet")
    assert set(harvest["campaign"].to_pylist()) == set(guilty.values())
    log = pq.read_table(traffic_dir / "exchanges.parquet", columns=["exchange_id", "account_id"])
    sender = dict(zip(log["exchange_id"].to_pylist(), log["account_id"].to_pylist(), strict=True))
    assert {sender[exchange] for exchange in harvest["exchange_id"].to_pylist()} <= set(guilty)


def test_every_exchange_comes_after_its_account_was_made(traffic_dir: Path) -> None:
    log = pq.read_table(traffic_dir / "exchanges.parquet", columns=["account_id", "ts"])
    accounts = pq.read_table(traffic_dir / "accounts.parquet", columns=["account_id", "created_at"])
    joined = log.join(accounts, "account_id")
    assert pc.all(pc.greater_equal(joined["ts"], joined["created_at"])).as_py()


def test_names_and_order_carry_no_hint_of_the_label(traffic_dir: Path) -> None:
    labels = pq.read_table(traffic_dir / "labels" / "accounts.parquet").sort_by("account_id")
    guilty = np.array([name is not None for name in labels["campaign"].to_pylist()])
    place = np.flatnonzero(guilty) / len(guilty)
    assert abs(place.mean() - 0.5) < 4 * np.sqrt(1 / 12 / guilty.sum())
    assert {len(name) for name in labels["account_id"].to_pylist()} == {14}
    table = pq.read_table(traffic_dir / "exchanges.parquet", columns=["exchange_id"])
    planted = set(pq.read_table(traffic_dir / "labels" / "exchanges.parquet")["exchange_id"].to_pylist())
    first = np.array([int(name[:4], 16) / 65_536 for name in table["exchange_id"].to_pylist() if name in planted])
    assert abs(first.mean() - 0.5) < 4 * np.sqrt(1 / 12 / len(first))


def test_no_two_exchanges_of_an_operator_share_an_instant(traffic_dir: Path) -> None:
    moments = pq.read_table(traffic_dir / "exchanges.parquet")["ts"]
    assert pc.count_distinct(moments).as_py() > len(moments) * 0.999


def test_without_text_the_rest_is_the_same(traffic_dir: Path, tmp_path: Path) -> None:
    write_traffic(compose(SMALL), tmp_path, text=False)
    bare = pq.read_table(tmp_path / "exchanges.parquet")
    full = pq.read_table(traffic_dir / "exchanges.parquet")
    assert set(full.schema.names) - set(bare.schema.names) == {"prompt", "system_prompt"}
    assert bare.equals(full.select(bare.schema.names))


def test_command_plants_only_the_scenarios_asked_for(tmp_path: Path) -> None:
    arguments = ["generate", "--out", str(tmp_path), "--exchanges", "6000", "--accounts", "500", "--no-text"]
    result = CliRunner().invoke(app, [*arguments, "--split", "report", "--scenario", "e_ring"])
    assert result.exit_code == 0
    labels = pq.read_table(tmp_path / "labels" / "accounts.parquet")
    assert set(labels["campaign"].to_pylist()) == {None, "E-ring"}


@pytest.mark.parametrize("wrong", [{"split": "other"}, {"scenarios": ("nothing",)}, {"prompts": "borrowed"}])
def test_a_wrong_request_is_refused_with_what_to_change(wrong: dict[str, object]) -> None:
    with pytest.raises(Exception, match=r"none of|no scenario|neither"):
        compose(replace(SMALL, **wrong))
