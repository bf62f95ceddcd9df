"""The main job on traffic with known truth: report split, sources and parameters that nothing was tuned on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.lab.score import Score, score

FILES = ("exchanges.parquet", "accounts.parquet", "licences.csv")


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traffic")
    write_traffic(compose(Request(150_000, 3_500, 41, "report")), folder)
    return folder


@pytest.fixture(scope="module")
def run(traffic: Path) -> sw.Run:
    return sw.detect(*(traffic / name for name in FILES))


@pytest.fixture(scope="module")
def result(traffic: Path, run: sw.Run, tmp_path_factory: pytest.TempPathFactory) -> Score:
    out = tmp_path_factory.mktemp("run") / "out"
    sw.write_run(run, out)
    return score(out, traffic / "labels")


def test_finds_the_planted_campaigns(result: Score) -> None:
    # the smallest ring has twenty accounts at this size and shares nothing but its work: it may stay at `watch`
    missed = {one.name for one in result.campaigns if not one.found}
    assert missed <= {"E-ring"}
    assert result.account_precision >= 0.99
    assert result.account_recall >= 0.95


def test_leaves_every_look_alike_alone(result: Score) -> None:
    assert result.innocents_accused == 0
    assert {one.name: one.suspect for one in result.lookalikes if one.suspect} == {}


def test_three_owners_of_one_pool_are_three_campaigns(result: Score) -> None:
    owners = [one for one in result.campaigns if one.name.startswith("D")]
    assert len(owners) == 3
    assert all(one.found and not one.merged_with for one in owners)


def test_a_mixed_pool_loses_its_harvest_and_keeps_its_customers(result: Score) -> None:
    for one in result.campaigns:
        if one.name.startswith("D"):
            assert one.exchange_precision >= 0.99
            assert one.exchange_recall >= 0.9


def test_evidence_cites_exchanges_that_exist(traffic: Path, run: sw.Run) -> None:
    cited = pc.unique(pc.list_flatten(run.evidence["exchanges"]))
    known = pq.read_table(traffic / "exchanges.parquet", columns=["exchange_id"])["exchange_id"]
    assert pc.all(pc.is_in(cited, value_set=pc.cast(known, pa.string()).combine_chunks())).as_py()


def test_no_prompt_text_reaches_an_output(traffic: Path, run: sw.Run, tmp_path: Path) -> None:
    prompts = pq.read_table(traffic / "exchanges.parquet", columns=["prompt"])["prompt"].to_pylist()
    words = {" ".join(text.split()[3:8]) for text in prompts[::97] if text and len(text.split()) > 12}
    sw.write_run(run, tmp_path / "out")
    told = "".join(
        (tmp_path / "out" / name).read_text(encoding="utf-8")
        for name in ("report.html", "campaigns.json", "manifest.json")
    )
    assert not [phrase for phrase in words if phrase in told]


@pytest.mark.slow
def test_the_same_log_gives_the_same_tables_whatever_the_order_of_its_rows(traffic: Path, run: sw.Run) -> None:
    table = pq.read_table(traffic / "exchanges.parquet")
    backwards = table.take(pa.array(range(table.num_rows - 1, -1, -1)))
    again = sw.detect(backwards, traffic / FILES[1], traffic / FILES[2])
    for name in ("verdicts", "campaigns", "evidence", "flagged"):
        assert getattr(again, name).equals(getattr(run, name)), name


def test_without_accounts_nobody_is_convicted_and_the_reason_is_told(traffic: Path) -> None:
    alone = sw.detect(traffic / FILES[0])
    verdicts = set(alone.verdicts["verdict"].to_pylist())
    assert "suspect" in verdicts
    assert "distillation" not in verdicts
    assert "undeclared-relation" in {one["signal"] for one in alone.manifest["signals_not_evaluated"]}


@pytest.mark.slow
def test_a_second_run_keeps_the_names_of_campaigns(traffic: Path, run: sw.Run, tmp_path: Path) -> None:
    sw.write_run(run, tmp_path / "first")
    settings = sw.Settings(previous=tmp_path / "first")
    again = sw.detect(*(traffic / name for name in FILES), settings=settings)
    assert again.campaigns["campaign_id"].to_pylist() == run.campaigns["campaign_id"].to_pylist()
    assert set(again.campaigns["status"].to_pylist()) == {"steady"}


@pytest.mark.slow
def test_a_licence_for_a_campaign_s_accounts_takes_them_out(traffic: Path, run: sw.Run) -> None:
    worst = run.stories[0].campaign
    rows = {"licence_id": ["L"] * len(worst.members), "account_id": list(worst.members)}
    licensed = sw.detect(traffic / FILES[0], traffic / FILES[1], pa.table(rows))
    accused = licensed.verdicts.filter(pc.equal(licensed.verdicts["verdict"], "distillation"))["account_id"].to_pylist()
    assert not set(worst.members) & set(accused)
    assert dataclasses.is_dataclass(licensed)
