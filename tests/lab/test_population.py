"""Requests and presets say how many are planted among how many; the disclosed totals come out at any scale."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from stillwatch.lab.cast import CAST
from stillwatch.lab.cli import app
from stillwatch.lab.population import PRESETS, Request, population, preset_names
from stillwatch.lab.scenario import DEFAULT, load_scenario
from stillwatch.model import UsageError

SPLITS = ("tuning", "report")
FEWEST_ROUNDING = 12  # accounts by which the sum may miss


def test_nothing_asked_for_is_the_demonstrations_nine() -> None:
    assert [part.scenario.name for part in population(Request()).parts] == [
        load_scenario(name, "tuning").name for name in DEFAULT
    ]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_names_the_published_fact_that_it_is_from(name: str) -> None:
    assert (PRESETS / f"{name}.toml").read_text(encoding="utf-8").startswith("# FACTS ")


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_february_has_the_disclosed_totals_at_every_scale(scale: float, split: str) -> None:
    sizes = population(Request(preset="february", scale=scale, split=split))
    a, b, c = sizes.parts
    assert [one.exchanges for one in sizes.parts] == [round(n * scale) for n in (150_000, 3_400_000, 13_000_000)]
    assert abs(sum(one.accounts for one in sizes.parts) - 24_000 * scale) <= FEWEST_ROUNDING
    assert c.accounts >= 20_000 * scale
    assert c.scenario.pool == "pool-C"
    assert c.scenario.mixed[1] < 1
    assert 0.4 < c.scenario.work.pivot <= 0.5
    assert sizes.exchanges >= sum(one.exchanges for one in sizes.parts) * 0.96
    assert sizes.accounts >= 250_000 * scale
    assert a.scenario.schedule.kind == "synchronised"
    assert len(b.scenario.access.channels) > 1


def test_a_tenth_of_february_has_the_whole_cast_of_look_alikes() -> None:
    sizes = population(Request(preset="february", scale=0.1))
    whole = {part.name: min(part.most, part.accounts * sizes.cast) for part in CAST if part.accounts < 1}
    assert whole["agent-tool"] == 5_000
    assert whole["benchmark-harness"] == 300
    assert whole["campus"] == 2_000
    assert sum(whole.values()) < 0.8 * sizes.accounts


def test_the_burst_is_four_exchanges_from_each_of_four_thousand_accounts_in_two_days() -> None:
    sizes = population(Request(preset="burst"))
    (part,) = sizes.parts
    assert part.exchanges == 16_000
    assert 4_000 <= part.accounts <= 4_200
    assert (part.scenario.schedule.last - part.scenario.schedule.first) * sizes.days <= 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"preset": "march"}, "no preset 'march'; there are burst, february"),
        ({"scale": 0.5}, "scale is of a preset"),
        ({"preset": "burst", "scale": 2.0}, "up to 1"),
    ],
)
def test_a_wrong_size_is_refused_with_what_to_change(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        population(Request(**wrong))  # type: ignore[arg-type]


def test_command_composes_a_preset_at_scale_with_its_evasions(tmp_path: Path) -> None:
    asked = ["--preset", "february", "--scale", "0.002", "--no-text", "--evasion", "cards=1", "--evasion", "stolen=0.5"]
    result = CliRunner().invoke(app, ["generate", "--out", str(tmp_path), *asked])
    assert result.exit_code == 0, result.output
    labels = pq.read_table(tmp_path / "labels" / "accounts.parquet").to_pylist()
    planted = pq.read_table(tmp_path / "labels" / "exchanges.parquet")
    log = pq.read_table(tmp_path / "exchanges.parquet", columns=["exchange_id", "account_id"])
    assert abs(len(planted) / 33_100 - 1) < 0.05
    assert len(log) > 60_000
    campaign = {row["account_id"]: row["campaign"] for row in labels}
    sender = dict(zip(log["exchange_id"].to_pylist(), log["account_id"].to_pylist(), strict=True))
    victims = {sender[one] for one in planted["exchange_id"].to_pylist()} - {one for one in campaign if campaign[one]}
    assert victims
    assert not any(row["pool"] or row["lookalike"] for row in labels if row["account_id"] in victims)
