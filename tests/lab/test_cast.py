"""Look-alikes and campaigns are what their names say: the traffic shows the trait that makes them hard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.lab.crowds import harness
from stillwatch.lab.grammar import grammar_of
from stillwatch.lab.scenario import load_scenario, scenario_names
from stillwatch.lab.world import DAY, World

Part = Callable[[str, str], pa.Table]


@pytest.fixture(scope="module")
def part(traffic_dir: Path) -> Part:
    log = pq.read_table(traffic_dir / "exchanges.parquet").drop_columns(["tools", "artefacts_in", "artefacts_out"])
    labels = pq.read_table(traffic_dir / "labels" / "accounts.parquet")
    accounts = pq.read_table(traffic_dir / "accounts.parquet").drop_columns(["country"])
    joined = log.join(labels, "account_id").join(accounts, "account_id")
    return lambda column, name: joined.filter(pc.equal(joined[column], name))


def distinct(table: pa.Table, column: str) -> int:
    return pc.count_distinct(table[column]).as_py()


def test_agent_tool_is_one_system_prompt_of_many_strangers(part: Part) -> None:
    rows = part("lookalike", "agent-tool")
    assert distinct(rows, "system_prompt") == 1
    assert distinct(rows, "account_id") > 60
    assert distinct(rows, "tls_fingerprint") < 16


def test_benchmark_harness_repeats_items_across_strangers() -> None:
    world = World(1, "tuning", 14 * DAY, grammar_of("tuning"))
    rows = harness(world, world.chance("test"), 60, 6_000).exchanges
    items, asked = np.unique(rows["item"], return_counts=True)
    assert len(items) < 0.3 * len(rows)
    shared = rows["account"][rows["item"] == items[asked.argmax()]]
    assert len(set(shared.tolist())) > 5


def test_campus_shares_an_address_but_not_its_words(part: Part) -> None:
    rows = part("lookalike", "campus")
    top = max(row["counts"].as_py() for row in pc.value_counts(rows["ip"]))
    assert top > 0.15 * len(rows)
    assert distinct(rows, "prompt") > 0.8 * len(rows)


def test_careful_ring_shares_no_identifier(part: Part) -> None:
    rows = part("campaign", "E-ring")
    accounts = distinct(rows, "account_id")
    paying = rows.filter(pc.is_valid(rows["payment_fingerprint"]))
    assert distinct(paying, "payment_fingerprint") == distinct(paying, "account_id")
    assert distinct(rows, "signup_ip") == accounts
    shared = rows.group_by("ip").aggregate([("account_id", "count_distinct")])["account_id_count_distinct"]
    assert pc.max(shared).as_py() == 1


def test_failover_moves_on_within_the_hour(part: Part) -> None:
    rows = part("campaign", "G-failover")
    gone = rows.filter(pc.is_valid(rows["suspended_at"]))
    fresh = rows.filter(pc.is_null(rows["suspended_at"]))
    ban = pc.min(gone["suspended_at"]).as_py()
    assert (pc.min(fresh["ts"]).as_py() - ban).total_seconds() < 86_400 / 2
    late = gone.filter(pc.greater(gone["ts"], gone["suspended_at"]))
    assert len(late) > 0
    assert set(late["status"].to_pylist()) == {403}


def test_pool_serves_three_owners_and_innocent_customers(part: Part, traffic_dir: Path) -> None:
    rows = part("pool", "pool-D")
    planted = pq.read_table(traffic_dir / "labels" / "exchanges.parquet")
    harvest = rows.join(planted.rename_columns(["exchange_id", "owner"]), "exchange_id")
    share = (len(harvest) - harvest["owner"].null_count) / len(harvest)
    assert 0.1 < share < 0.5
    assert distinct(harvest.filter(pc.is_valid(harvest["owner"])), "owner") == 3


def test_replay_submits_handles_that_another_account_was_given(traffic_dir: Path) -> None:
    log = pq.read_table(
        traffic_dir / "exchanges.parquet", columns=["account_id", "artefacts_out", "artefacts_in"]
    ).to_pylist()
    minted = {handle: row["account_id"] for row in log for handle in row["artefacts_out"]}
    labels = pq.read_table(traffic_dir / "labels" / "accounts.parquet")
    campaign = dict(zip(labels["account_id"].to_pylist(), labels["campaign"].to_pylist(), strict=True))
    crossed = [row["account_id"] for row in log for h in row["artefacts_in"] if minted.get(h) != row["account_id"]]
    planted = sum(campaign[account] == "I-replay" for account in crossed)
    assert planted > 40
    assert planted > 0.8 * len(crossed)


@pytest.mark.parametrize("name", scenario_names())
def test_scenarios_differ_between_the_splits(name: str) -> None:
    assert load_scenario(name, "tuning") != load_scenario(name, "report")
