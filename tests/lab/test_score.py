"""Score arithmetic on a case small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from stillwatch.lab.cli import app
from stillwatch.lab.score import b_cubed, score, score_found
from stillwatch.lab.truth import Found, Truth
from stillwatch.model import InputRefused

# account: (campaign, pool, look-alike), (detected campaign, verdict)
ACCOUNTS = {
    "a1": (("A", "pool-A", None), ("k1", "distillation")),
    "a2": (("A", "pool-A", None), ("k1", "distillation")),
    "a3": (("A", "pool-A", None), (None, "watch")),
    "b1": (("B", "pool-B", None), ("k1", "distillation")),
    "b2": (("B", "pool-B", None), ("k2", "suspect")),
    "b3": (("B", "pool-B", None), ("k2", "suspect")),
    "b4": (("B", "pool-B", None), (None, "clear")),
    "p1": ((None, "pool-B", None), ("k1", "distillation")),
    "c1": ((None, None, "campus"), ("k3", "distillation")),
    "c2": ((None, None, "campus"), (None, "watch")),
    "o1": ((None, None, None), (None, "clear")),
}
PLANTED = {"x1": "A", "x2": "A", "x3": "A", "x4": "A", "y1": "B", "y2": "B"}
FLAGGED = {"x1": "k1", "x2": "k1", "y1": "k1", "z1": "k1", "z2": "k3", "x4": "k2"}
DETECTED = {"k1": "distillation", "k2": "suspect", "k3": "distillation"}


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, Path]:
    run, labels = tmp_path / "run", tmp_path / "labels"
    run.mkdir()
    labels.mkdir()
    ids = list(ACCOUNTS)
    truth, found = zip(*ACCOUNTS.values(), strict=True)
    columns = dict(zip(("campaign", "pool", "lookalike"), map(list, zip(*truth, strict=True)), strict=True))
    pq.write_table(pa.table({"account_id": ids, **columns}), labels / "accounts.parquet")
    pq.write_table(
        pa.table({"exchange_id": list(PLANTED), "campaign": list(PLANTED.values())}), labels / "exchanges.parquet"
    )
    groups, verdicts = map(list, zip(*found, strict=True))
    pq.write_table(pa.table({"account_id": ids, "campaign_id": groups, "verdict": verdicts}), run / "verdicts.parquet")
    pq.write_table(
        pa.table({"campaign_id": list(DETECTED), "verdict": list(DETECTED.values())}), run / "campaigns.parquet"
    )
    pq.write_table(
        pa.table({"exchange_id": list(FLAGGED), "campaign_id": list(FLAGGED.values())}), run / "flagged.parquet"
    )
    return run, labels


def test_campaigns_are_matched_by_majority(case: tuple[Path, Path]) -> None:
    first, second = score(*case).campaigns
    assert (first.name, first.found, first.pieces) == ("A", True, 1)
    assert first.account_precision == 2 / 4
    assert first.account_recall == 2 / 3
    assert first.exchange_precision == 2 / 4
    assert first.exchange_recall == 2 / 4
    assert first.merged_with == ()  # one of four accounts of B is below the bar
    assert (second.name, second.found, second.account_recall) == ("B", False, 0.0)


def test_totals_count_accused_accounts_only(case: tuple[Path, Path]) -> None:
    total = score(*case)
    assert total.account_recall == 3 / 7
    assert total.account_precision == 3 / 4  # a pool account that never harvested counts on no side
    assert (total.innocents, total.innocents_accused) == (3, 1)
    assert total.accused_per_100k == pytest.approx(1e5 / 3)
    assert total.exchange_precision == 3 / 5
    assert total.exchange_recall == 3 / 6
    assert total.false_campaigns == 1


def test_a_second_campaign_of_the_same_accounts_counts_by_its_exchanges() -> None:
    truth = Truth({"a1": "A", "a2": "A"}, {"a1": "P", "a2": "P"}, {"a1": None, "a2": None}, {"x1": "A", "x2": "A"})
    found = Found(dict.fromkeys(("a1", "a2"), "distillation"), {"a1": "k1", "a2": "k1"}, {"x1": "k1", "x2": "k2"})
    total = score_found(truth, found)
    (one,) = total.campaigns
    assert (one.pieces, one.account_recall, one.exchange_recall) == (2, 1.0, 1.0)
    assert total.false_campaigns == 0


def test_lookalikes_are_counted_by_verdict(case: tuple[Path, Path]) -> None:
    rows = {row.name: (row.accounts, row.watch, row.suspect, row.distillation) for row in score(*case).lookalikes}
    assert rows == {"campus": (2, 1, 0, 1), "ordinary": (1, 0, 0, 0)}


def test_b_cubed_is_one_for_a_perfect_clustering_and_falls_when_merged() -> None:
    truth = {"a": "A", "b": "A", "c": "B", "d": "B"}
    assert b_cubed(truth, {"a": "1", "b": "1", "c": "2", "d": "2"}) == (1.0, 1.0)
    assert b_cubed(truth, {"a": "1", "b": "1", "c": "1", "d": "1"}) == (0.5, 1.0)
    assert b_cubed(truth, {}) == (1.0, 0.5)


def test_command_prints_tables_or_data(case: tuple[Path, Path]) -> None:
    runner = CliRunner()
    arguments = ["score", *map(str, case)]
    assert "missed" in runner.invoke(app, arguments).stdout
    assert json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)["innocents_accused"] == 1


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no such file"):
        score(tmp_path, tmp_path)
