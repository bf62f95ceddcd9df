"""From a log to figures, with the detector itself."""

from __future__ import annotations

import numpy as np
import pytest

import stillwatch as sw
from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate import partial
from stillwatch.lab.evaluate.bench import Bench, describe, named
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.replay import Conclusion, name_found
from stillwatch.lab.evaluate.scores import by_class, innocents, scores_of, summary
from stillwatch.lab.evaluate.tables import HOUR, Tables, load, until
from stillwatch.lab.evaluate.versus import compare, own_ranking

REQUEST = Request(exchanges=14_000, accounts=400, seed=301, split="report", scenarios=("c_coding", "f_burst"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.mark.slow
def test_a_log_is_composed_once_and_scored(bench: Bench) -> None:
    outcome = bench.outcome(REQUEST)
    assert bench.outcome(REQUEST) is outcome
    assert bench.log(REQUEST) == bench.log(REQUEST)
    told = summary(outcome)
    assert [one["name"] for one in told["campaigns"]] == ["C-coding", "F-burst"]
    assert told["seed"] == 301
    assert innocents([told]).events == told["innocents_accused"]
    assert sum(row["accounts"] for row in by_class([outcome]).values()) == told["innocents"]
    assert describe(REQUEST) == "14,000 exchanges of 400 accounts, seed 301"


def test_our_ranking_is_the_table_of_verdicts(bench: Bench) -> None:
    outcome = bench.outcome(REQUEST)
    ranking = own_ranking(outcome)
    ids, p = scores_of(outcome)
    assert ranking.account.tolist() == sorted(ids)
    assert dict(zip(ranking.account.tolist(), ranking.score.tolist(), strict=True)) == dict(
        zip(ids, p.tolist(), strict=True)
    )
    found = compare(ranking, outcome.truth)
    assert found["innocents_accused"] == outcome.score.innocents_accused
    assert found["recall"] == pytest.approx(outcome.score.account_recall)
    assert found["b_cubed"] == pytest.approx(outcome.score.b_cubed_f)
    assert np.all((ranking.score > 0) | ~ranking.accused)


@pytest.mark.slow
def test_tables_in_memory_are_concluded_like_files(bench: Bench) -> None:
    outcome, tables = bench.outcome(REQUEST), load(bench.log(REQUEST))

    def conclude(window: Tables) -> list[Conclusion]:
        return named(sw.detect(window.exchanges, window.accounts, window.licences))

    said = name_found(conclude(tables), outcome.truth)
    assert {name for name, verdict in said.items() if verdict == "distillation"} == {
        one.name for one in outcome.score.campaigns if one.found
    }
    assert conclude(until(tables, tables.start + HOUR // 2)) == []


def test_old_logs_make_room(bench: Bench) -> None:
    first = bench.log(REQUEST)
    for seed in range(302, 306):
        bench.logs[Request(seed=seed)] = bench.folder / f"other-{seed}"
        (bench.folder / f"other-{seed}").mkdir()
    bench.log(Request(2_000, 200, 306, "report", scenarios=("f_burst",)))
    assert not first.exists()
    assert bench.outcome(REQUEST).request == REQUEST  # what was concluded stays


@pytest.mark.slow
def test_a_log_without_columns_is_measured_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "LACKING", (("all text", partial.TEXT, ()), ("the table of accounts", (), None)))
    monkeypatch.setattr(Plan, "request", lambda *_: REQUEST)
    mute, alone = partial.measure(bench, Plan())["rows"]
    assert mute["account_recall"] == mute["suspect_recall"] == 0.0
    assert mute["not_evaluated"] > 10
    assert alone["account_recall"] == 0.0  # suspect is the gravest verdict there
    assert "the table of accounts" in partial.tell({"rows": [mute, alone]})
