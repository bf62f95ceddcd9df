"""Planted operations are what their scenario declares: how many, how often, in which phases, with what in common."""

from __future__ import annotations

import numpy as np
import pytest
from operations import harvest, planted

from stillwatch.lab.scenario import DEFAULT, SCENARIOS, load_scenario, scenario_names
from stillwatch.lab.world import DAY
from stillwatch.model import UsageError

SPLITS = ("tuning", "report")


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_names_the_published_fact_that_it_is_from(name: str) -> None:
    assert (SCENARIOS / f"{name}.toml").read_text(encoding="utf-8").startswith("# FACTS ")


def test_every_scenario_has_a_name_and_a_letter_of_its_own() -> None:
    scenarios = [load_scenario(name, "tuning") for name in scenario_names()]
    assert [one.letter for one in scenarios] == sorted({one.letter for one in scenarios})
    assert len({one.name for one in scenarios}) == len(scenarios)
    assert set(DEFAULT) < set(scenario_names())


def test_an_unknown_parameter_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"has no parameter 'clock'; it has .*kind"):
        load_scenario("a_reasoning", "tuning", {"schedule": {"clock": 1}})


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", scenario_names())
def test_every_exchange_comes_after_its_account_and_within_the_span(name: str, split: str) -> None:
    group = planted(name, split)
    rows, who = group.exchanges, group.accounts
    assert (rows["ts"] > who["created"][rows["account"]]).all()
    assert ((rows["campaign"] >= 0) | (rows["campaign"] == -1)).all()
    assert len(np.unique(harvest(group)["account"])) > 0.8 * len(who)


@pytest.mark.parametrize("split", SPLITS)
def test_half_of_the_mixed_ring_shares_a_card_and_half_shares_nothing(split: str) -> None:
    who = planted("j_mixed", split).accounts
    paying = who["payment"][who["payment"] > 0]
    times = np.unique(paying, return_counts=True)[1]
    together = times[times > 1].sum() / len(paying)
    assert 0.25 < together < 0.65
    assert times.max() <= 8


@pytest.mark.parametrize("split", SPLITS)
def test_the_mixed_ring_acts_together_only_in_part(split: str) -> None:
    def accounts_at_once(name: str) -> float:
        rows = harvest(planted(name, split))
        slots = rows["ts"] // (DAY // 96)
        return float(np.bincount(np.unique(slots, return_inverse=True)[1]).max() / len(rows))

    assert accounts_at_once("e_ring") < accounts_at_once("j_mixed") < accounts_at_once("a_reasoning")


@pytest.mark.parametrize("split", SPLITS)
def test_of_the_diluted_accounts_traffic_five_per_cent_is_harvest(split: str) -> None:
    rows = planted("k_diluted", split).exchanges
    own = np.bincount(rows["account"], rows["campaign"] >= 0) / np.maximum(1, np.bincount(rows["account"]))
    assert abs((rows["campaign"] >= 0).mean() - 0.05) < 0.01
    assert np.quantile(own, 0.9) < 0.12


@pytest.mark.parametrize("split", SPLITS)
def test_a_search_tries_many_techniques_and_then_scales_the_winners(split: str) -> None:
    group, scenario = planted("l_search", split), load_scenario("l_search", split)
    rows = harvest(group)
    opens = group.exchanges["ts"].min() // DAY * DAY
    early = rows[rows["ts"] < opens + scenario.probe.last * 14 * DAY]
    late = rows[rows["ts"] > opens + scenario.schedule.first * 14 * DAY]
    assert len(early) + len(late) == len(rows)
    assert len(np.unique(early["rule"])) >= 10
    assert len(np.unique(late["rule"])) == 2
    assert set(late["rule"]) < set(early["rule"])
    assert len(np.unique(late["account"])) > 4 * len(np.unique(early["account"]))
    failed = early["status"] != 200
    refused = ~failed & (early["output"] < 70)
    assert 0.08 < failed.mean() < 0.22
    assert refused.mean() > 0.3
    assert (late["output"][late["status"] == 200] < 70).mean() < 0.02


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", ["m_trickle", "n_torrent"])
def test_both_regimes_of_volume_keep_their_rate(name: str, split: str) -> None:
    scenario = load_scenario(name, split)
    rows = harvest(planted(name, split))
    days = 14 * (scenario.schedule.last - scenario.schedule.first)
    daily = len(rows) / len(np.unique(rows["account"])) / days
    assert abs(daily / scenario.rate - 1) < 0.03


def test_wordings_of_new_scenarios_differ_between_the_splits() -> None:
    techniques = [load_scenario("l_search", split).work.templates for split in SPLITS]
    assert not set(techniques[0]) & set(techniques[1])


@pytest.mark.parametrize("split", SPLITS)
def test_no_two_operators_send_the_same_template(split: str) -> None:
    sent = [
        template
        for scenario in (load_scenario(name, split) for name in scenario_names())
        for work in (scenario.work, *scenario.owners)
        for template in set(work.templates)
    ]
    assert len(sent) == len(set(sent))
