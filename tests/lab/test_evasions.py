"""Each evasion changes what it says and nothing else, more so the stronger it is, and nothing at strength 0."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from operations import differing, harvest, planted, texts

from stillwatch.lab.chance import Array
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.evasions.catalogue import combinations, evasions, parse, strengths
from stillwatch.lab.scenario import DEFAULT, scenario_names
from stillwatch.lab.world import DAY, HOUR
from stillwatch.model import UsageError

NAMES = [*evasions(), *combinations()]
ROUTE = {"net", "anchor", "bits", "spread", "lease", "salt", "share2"}
# What each evasion may change, of accounts and of exchanges; those that add or move rows have tests of their own.
CHANGES = {
    "residential": (ROUTE, {"ip", "net", "stack"}),  # no second route, so no second device
    "cards": ({"payment"}, set()),
    "jitter": (set(), {"ts", "ip", "net", "model"}),
    "schedules": (set(), {"ts", "ip", "net", "model"}),
    "paraphrase": (set(), {"rule", "author"}),
    "system-prompts": (set(), {"system", "author"}),
    "partition": (set(), {"item"}),
    "redundancy": (set(), {"item", "rule"}),
    "sanitise": (set(), {"stack", "temperature", "limit", "stream", "key", "endpoint", "output"}),
}


def shares(values: Array, by: Array) -> int:
    """How many values are met at more than one place."""
    pairs = np.unique(np.stack([values.astype(np.uint64), by.astype(np.uint64)]), axis=1)
    return int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", re.sub(r"\d", "0", text.lower()))
    return {tuple(words[i : i + 4]) for i in range(len(words) - 3)}


def sameness(rows: Array, split: str) -> float:
    """The share of a text's runs of four words that at least one text in twenty-five has too."""
    found = [shingles(text) for text in texts(rows[:600], split)]
    seen = Counter(run for each in found for run in each)
    return float(np.mean([np.mean([seen[run] >= len(found) / 25 for run in each]) for each in found if each]))


@pytest.mark.parametrize("name", NAMES)
def test_at_strength_zero_nothing_changes(name: str) -> None:
    assert strengths(((name, 0.0),)) == {}


@pytest.mark.parametrize("scenario", ["b_agentic", "c_coding", "g_failover", "i_replay"])
@pytest.mark.parametrize("name", CHANGES)
def test_an_evasion_changes_what_it_says_and_nothing_else(name: str, scenario: str) -> None:
    plain, hidden = planted(scenario), planted(scenario, **{name: 0.6})
    of_accounts, of_exchanges = CHANGES[name]
    assert differing(plain.accounts, hidden.accounts) <= of_accounts
    changed = differing(plain.exchanges, hidden.exchanges)
    timed = {"account", "item", "minted", "submitted", "author", "rule", "key"} if scenario == "i_replay" else set()
    if "ts" in of_exchanges:  # a replayed handle follows the order of time; a ban moves what falls due after it
        timed |= {"minted", "submitted", "account", "stack", "channel", "key", "status", "output"}
        timed |= {"rule", "item", "author", "limit", "stream", "endpoint", "temperature", "context", "system", "turns"}
        timed = timed if scenario in {"g_failover", "i_replay"} else set()
        assert changed <= of_exchanges | timed
    else:
        assert changed <= of_exchanges


@pytest.mark.parametrize("name", [*evasions(), "careful", "everything"])
@pytest.mark.parametrize("scenario", scenario_names())
def test_every_evasion_applies_to_every_scenario(scenario: str, name: str) -> None:
    group, plain = planted(scenario, **{name: 1.0}), planted(scenario)
    rows, who = group.exchanges, group.accounts
    assert (rows["ts"] > who["created"][rows["account"]]).all()
    sent, wanted = len(harvest(group)), len(harvest(plain))
    assert sent == pytest.approx(wanted, rel=0.2)  # a ban's refusals, and rounding, go by the account
    served = rows[(rows["status"] == 200) & (who["suspended"][rows["account"]] > 0)]
    assert (served["ts"] <= who["suspended"][served["account"]]).mean() > 0.99 if len(served) else True


def test_residential_gives_every_account_one_address_of_its_own() -> None:
    rows = harvest(planted("c_coding", residential=1.0))
    assert shares(rows["ip"], rows["account"]) == 0
    assert len(np.unique(rows["ip"])) == len(np.unique(rows["account"]))
    assert shares(harvest(planted("c_coding"))["ip"], harvest(planted("c_coding"))["account"]) > 10


def test_cards_leave_no_two_accounts_on_one_card() -> None:
    paid = planted("a_reasoning", cards=1.0).accounts["payment"]
    assert len(np.unique(paid[paid > 0])) == (paid > 0).sum()


def test_jitter_moves_conversations_by_minutes_to_hours_and_keeps_their_turns_together() -> None:
    plain, hidden = planted("b_agentic").exchanges, planted("b_agentic", jitter=0.5).exchanges
    moved = np.abs(hidden["ts"] - plain["ts"])
    assert 10 * HOUR / 60 < np.median(moved) < 3 * HOUR
    later = np.flatnonzero(plain["turns"] > 1)
    together = np.diff(plain["ts"])[later - 1] == np.diff(hidden["ts"])[later - 1]
    assert together.mean() > 0.97


def test_own_schedules_end_synchrony() -> None:
    def busiest(**evasions: float) -> float:
        slots = np.unique(harvest(planted("a_reasoning", **evasions))["ts"] // (HOUR // 4), return_counts=True)[1]
        return float(slots.max())

    assert busiest(schedules=1.0) < 0.4 * busiest()


@pytest.mark.parametrize("split", ["tuning", "report"])
def test_a_replayed_handle_was_minted_before_however_the_clock_is_hidden(split: str) -> None:
    rows = np.sort(harvest(planted("i_replay", split, jitter=1.0, schedules=1.0)), order="ts")
    minted = {int(handle): ts for handle, ts in zip(rows["minted"], rows["ts"], strict=True) if handle}
    assert all(minted[int(h)] <= ts for h, ts in zip(rows["submitted"], rows["ts"], strict=True) if h)


@pytest.mark.parametrize("split", ["tuning", "report"])
@pytest.mark.parametrize("scenario", ["a_reasoning", "c_coding", "e_ring", "l_search", "n_torrent"])
def test_deep_paraphrase_leaves_few_runs_of_four_words_in_common(scenario: str, split: str) -> None:
    plain = sameness(np.random.default_rng(0).permutation(harvest(planted(scenario, split))), split)
    deep = sameness(np.random.default_rng(0).permutation(harvest(planted(scenario, split, paraphrase=1.0))), split)
    assert deep < 0.12
    assert deep < plain / 2


@pytest.mark.parametrize("split", ["tuning", "report"])
def test_half_paraphrase_gives_each_account_one_wording(split: str) -> None:
    rows = harvest(planted("a_reasoning", split, paraphrase=0.5))
    busy = np.bincount(rows["account"]).argmax()
    mine, others = rows[rows["account"] == busy][:100], rows[rows["account"] != busy][:600]
    assert len(np.unique(mine["author"])) == 1
    assert sameness(mine, split) > 2 * sameness(others, split)


def test_an_account_with_a_system_prompt_of_its_own_keeps_it() -> None:
    rows = harvest(planted("c_coding", system_prompts=1.0, paraphrase=1.0))
    pairs = np.unique(np.stack([rows["account"].astype(np.uint64), rows["author"]]), axis=1)
    assert pairs.shape[1] == len(np.unique(rows["account"])) == len(np.unique(rows["author"]))


@pytest.mark.parametrize("scenario", ["a_reasoning", "d_pool", "g_failover"])
def test_partition_lets_no_item_reach_two_accounts(scenario: str) -> None:
    rows = harvest(planted(scenario, partition=1.0))
    assert shares(rows["item"], rows["account"]) == 0


def test_redundancy_asks_every_item_eight_times_through_several_accounts() -> None:
    rows = harvest(planted("e_ring", redundancy=1.0))
    times = np.unique(rows["item"], return_counts=True)[1]
    assert np.median(times) == 8
    assert shares(rows["item"], rows["account"]) > 0.9 * len(times)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_mixing_dilutes_every_account_and_leaves_the_harvest_alone(strength: float) -> None:
    plain, hidden = planted("e_ring"), planted("e_ring", mixing=strength)
    assert differing(harvest(plain), harvest(hidden)) == set()
    added = len(hidden.exchanges) - len(plain.exchanges)
    assert added / (added + len(harvest(plain))) == pytest.approx(0.95 * strength, abs=0.03)


def test_aged_accounts_are_old_warm_up_and_harvest_in_a_rising_ramp() -> None:
    group = planted("g_failover", ageing=1.0)
    opens = group.exchanges["ts"].min() // DAY * DAY
    assert (group.accounts["created"] <= opens - 60 * DAY).all()
    rows = planted("c_coding", ageing=1.0).exchanges
    mine, talk = rows[rows["campaign"] >= 0], rows[rows["campaign"] < 0]
    assert np.median(mine["ts"]) > np.median(harvest(planted("c_coding"))["ts"]) + DAY
    assert 0.05 < len(talk) / len(mine) < 0.2
    assert np.median(talk["ts"]) < np.median(mine["ts"]) - 3 * DAY


def test_stolen_accounts_belong_to_nobody_but_their_stolen_exchanges_do() -> None:
    plain, hidden = planted("e_ring"), planted("e_ring", stolen=0.3)
    victims = np.flatnonzero(hidden.accounts["pool"] < 0)
    assert set(hidden.accounts["campaign"][victims]) == {-1}
    rows = hidden.exchanges
    stolen = np.isin(rows["account"], victims) & (rows["campaign"] >= 0)
    assert stolen.sum() / (rows["campaign"] >= 0).sum() == pytest.approx(0.3, abs=0.03)
    assert len(harvest(hidden)) == len(harvest(plain))
    for victim in np.unique(rows["account"][stolen])[:20]:  # the owner was there before the thief
        mine = rows[rows["account"] == victim]
        assert (mine["campaign"] < 0).any()


def test_resale_lets_one_tenant_of_a_cloud_stand_for_many() -> None:
    plain, hidden = harvest(planted("c_coding")), harvest(planted("c_coding", resale=1.0))
    accounts = len(np.unique(plain["account"]))
    assert accounts / 14 < len(np.unique(hidden["account"])) < accounts / 9
    assert set(np.unique(hidden["channel"])) <= {1, 2, 3}
    assert shares(hidden["ip"], hidden["account"]) < 3  # neighbours in one block of a cloud, by chance
    assert shares(hidden["stack"], hidden["ts"]) > 0
    assert len(np.unique(np.stack([hidden["account"], hidden["channel"]]), axis=1)[0]) == len(
        np.unique(hidden["account"])
    )


def test_sanitised_clients_are_all_the_same() -> None:
    rows = harvest(planted("b_agentic", sanitise=1.0))
    for name in ("stack", "temperature", "limit", "stream", "key", "endpoint"):
        assert len(np.unique(rows[name])) == 1, name


def test_slow_spreads_the_same_harvest_over_ten_times_the_accounts() -> None:
    plain, hidden = planted("a_reasoning"), planted("a_reasoning", slow=1.0)
    assert len(hidden.accounts) == 10 * len(plain.accounts)
    assert len(harvest(hidden)) == len(harvest(plain))


@pytest.mark.parametrize(
    "name", ["residential", "cards", "paraphrase", "system-prompts", "resale", "sanitise", "stolen"]
)
def test_who_hides_at_a_low_strength_hides_at_a_high_one(name: str) -> None:
    plain = planted("c_coding")
    weak, strong = (planted("c_coding", **{name: strength}) for strength in (0.2, 0.45))
    rows = len(plain.exchanges)

    def touched(group: object) -> Array:
        exchanges, who = group.exchanges[:rows], group.accounts[: len(plain.accounts)]  # type: ignore[attr-defined]
        return np.concatenate([exchanges != plain.exchanges, who != plain.accounts])

    assert touched(weak).any()
    assert (touched(strong) | ~touched(weak)).mean() > 0.999
    assert touched(strong).sum() > 1.3 * touched(weak).sum()


@pytest.mark.parametrize("name", ["mixing", "jitter", "slow", "partition", "redundancy"])
def test_a_stronger_evasion_hides_more(name: str) -> None:
    plain = planted("a_reasoning")

    def change(strength: float) -> float:
        group = planted("a_reasoning", **{name: strength})
        rows = min(len(plain.exchanges), len(group.exchanges))
        moved = np.abs(group.exchanges["ts"][:rows] - plain.exchanges["ts"][:rows]).mean() if name == "jitter" else 0
        items = (group.exchanges["item"][:rows] != plain.exchanges["item"][:rows]).sum()
        return float(moved + len(group.exchanges) + len(group.accounts) + (items if name != "slow" else 0))

    assert change(0.25) < change(0.5) < change(1.0)


def test_innocents_are_the_same_however_the_planted_hide() -> None:
    def innocents(**more: object) -> set[int]:
        traffic = compose(Request(exchanges=8_000, accounts=600, seed=3, scenarios=("e_ring",), **more))  # type: ignore[arg-type]
        who = traffic.group.accounts
        return set(who["author"][(who["campaign"] < 0) & (who["pool"] < 0)].tolist())

    assert innocents() == innocents(evasions=(("residential", 1.0), ("mixing", 0.5), ("paraphrase", 1.0)))


def test_the_default_scenarios_do_not_depend_on_evasions_that_are_off() -> None:
    assert differing(planted(DEFAULT[0]).exchanges, planted(DEFAULT[0], jitter=0.0, slow=0.0).exchanges) == set()


def test_combinations_are_made_of_evasions_and_the_stronger_demand_holds() -> None:
    assert all(set(parts) <= set(evasions()) for parts in combinations().values())
    assert strengths((("careful", 1.0), ("jitter", 0.9)))["jitter"] == 0.9
    assert strengths((("careful", 0.5),))["residential"] == 0.5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["paraphrase=2"], "between 0 and 1"),
        (["hide=1"], "there are residential"),
        (["jitter=much"], "NAME=STRENGTH"),
        (["partition=1", "redundancy=0.2"], "contradict"),
    ],
)
def test_a_wrong_evasion_is_refused_with_what_to_change(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        strengths(parse(words))
