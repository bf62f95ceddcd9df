"""Each rival finds the plain attack that it was made for, and is blind where its description says so."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.lab.rivals import (
    aegisgate,
    evilcohort,
    fraudar,
    glasswally,
    identifiers,
    isolation,
    splink_fs,
    synchrotrap,
    toolkit,
    volume,
)
from stillwatch.lab.rivals.base import Ranking

from .small_logs import accused, members, people, ring, row, sentence, write_log

CROWD = people(40)
TEN = members(10)
SPLINK: dict[str, Any] = {"columns": "identity", "orgs": "count", "probability": 0.9}
TRAP = {"window_s": 3_600, "jaccard": 0.2, "orgs": "count"}


def hours(account: str) -> dt.timedelta:
    """A schedule of its own."""
    return dt.timedelta(hours=60 * int(account[1:]))


def first_ranked(ranking: Ranking, count: int) -> set[str]:
    """Those ranked above all others; none where the last of them ties with the next."""
    order = np.argsort(-ranking.score, kind="stable")
    return (
        set() if ranking.score[order[count - 1]] <= ranking.score[order[count]] else set(ranking.account[order[:count]])
    )


def test_volume_finds_the_loudest_and_not_four_exchanges_each(tmp_path: Path) -> None:
    setting = {"measure": "total", "quantile": 0.95}
    loud = write_log(tmp_path / "loud", CROWD + ring(1, 80))
    assert accused(volume.rank(loud, setting)) == members(1)
    quiet = write_log(tmp_path / "quiet", CROWD + ring(10, 4))
    assert not accused(volume.rank(quiet, setting)) & TEN


def test_identifiers_join_by_a_shared_card_and_not_without_one(tmp_path: Path) -> None:
    setting = {"columns": "paid", "cap": 40, "orgs": "count"}
    card = {name: {"payment_fingerprint": "pm_one"} for name in TEN}
    assert accused(identifiers.rank(write_log(tmp_path / "card", CROWD + ring(10), card), setting)) == TEN
    own = {name: {"payment_fingerprint": f"pm_{name}"} for name in TEN}
    assert not accused(identifiers.rank(write_log(tmp_path / "own", CROWD + ring(10), own), setting))


def test_identifiers_pass_over_a_value_of_more_accounts_than_the_cap(tmp_path: Path) -> None:
    card = {name: {"payment_fingerprint": "pm_one"} for name in TEN}
    log = write_log(tmp_path, CROWD + ring(10), card)
    assert not accused(identifiers.rank(log, {"columns": "paid", "cap": 5, "orgs": "count"}))


def test_identifiers_count_a_declared_company_once_where_told_to(tmp_path: Path) -> None:
    company = {name: {"payment_fingerprint": "pm_one", "org_id": "org_one"} for name in TEN}
    log = write_log(tmp_path, CROWD + ring(10), company)
    assert not accused(identifiers.rank(log, {"columns": "paid", "cap": 40, "orgs": "apart"}))


def test_evilcohort_finds_shared_addresses_and_is_blind_to_one_address_each(tmp_path: Path) -> None:
    setting = {"shared": 1, "orgs": "count", "least": 3}
    shared = write_log(tmp_path / "shared", CROWD + ring(10, ip="90.0.0.1"))
    assert accused(evilcohort.rank(shared, setting)) == TEN
    assert not accused(evilcohort.rank(write_log(tmp_path / "own", CROWD + ring(10)), setting))


def test_splink_links_sign_up_data_and_is_blind_to_behaviour(tmp_path: Path) -> None:
    crowd = {
        f"p{person:03d}": {
            "payment_fingerprint": f"pm_{person}",
            "phone_hash": f"ph_{person}",
            "signup_ip": f"s{person}",
        }
        for person in range(40)
    }
    crowd["p001"]["payment_fingerprint"], crowd["p003"]["phone_hash"] = "pm_0", "ph_2"  # a card and a phone of two
    same = {name: {"payment_fingerprint": "pm_x", "phone_hash": "ph_x", "signup_ip": "sx"} for name in members(6)}
    found = splink_fs.rank(write_log(tmp_path / "same", CROWD + ring(6), crowd | same), SPLINK)
    assert accused(found) == members(6)
    own = {name: {"payment_fingerprint": f"pm_{name}", "signup_ip": name} for name in members(6)}
    assert not accused(splink_fs.rank(write_log(tmp_path / "own", CROWD + ring(6), crowd | own), SPLINK))


def test_synchrotrap_finds_synchrony_and_loses_independent_schedules(tmp_path: Path) -> None:
    assert accused(synchrotrap.rank(write_log(tmp_path / "even", CROWD + ring(10)), TRAP)) == TEN
    spread = [one | {"ts": one["ts"] + hours(one["account_id"])} for one in ring(10)]
    assert not accused(synchrotrap.rank(write_log(tmp_path / "spread", CROWD + spread), TRAP))


def test_toolkit_finds_one_text_within_a_minute_and_loses_jitter(tmp_path: Path) -> None:
    setting = {"network": "co_tweet", "window_s": 60, "edge": 2}
    assert accused(toolkit.rank(write_log(tmp_path / "even", CROWD + ring(10, 6)), setting)) == TEN
    spread = [one | {"ts": one["ts"] + hours(one["account_id"])} for one in ring(10, 6)]
    assert not accused(toolkit.rank(write_log(tmp_path / "spread", CROWD + spread), setting))


def test_toolkit_reads_addresses_and_cards_as_links(tmp_path: Path) -> None:
    card = {name: {"payment_fingerprint": "pm_one"} for name in TEN}
    log = write_log(tmp_path, CROWD + ring(10, 6), card)
    assert accused(toolkit.rank(log, {"network": "co_link", "window_s": 60, "edge": 2})) == TEN


def test_fraudar_sees_a_block_through_camouflage(tmp_path: Path) -> None:
    cover = [one | {"account_id": name} for name in TEN for one in people(1, 5, first=int(name[1:]) + 60)]
    frames = ("Name {} as a table with three columns and units", "List every known property of {} in strict order")
    rows = [one for frame in frames for one in ring(10, 10, frame)]
    unlike = [one | {"exchange_id": f"x{number}"} for number, one in enumerate(CROWD + cover + rows)]
    found = fraudar.rank(write_log(tmp_path, unlike), {"columns": "template", "prompts": 1, "blocks": 1})
    assert accused(found) == TEN


def test_fraudar_needs_a_template_in_common(tmp_path: Path) -> None:
    found = fraudar.rank(write_log(tmp_path, CROWD), {"columns": "template", "prompts": 1, "blocks": 5})
    assert not accused(found)


AEGIS = [{"reads": "request", "overlap": overlap} for overlap in ("jaccard", "smaller")]


@pytest.mark.parametrize("setting", AEGIS)
def test_aegisgate_cannot_fire_without_an_address_in_common(tmp_path: Path, setting: dict[str, str]) -> None:
    assert not accused(aegisgate.rank(write_log(tmp_path, CROWD + ring(10)), setting))


@pytest.mark.parametrize("setting", AEGIS)
def test_aegisgate_fires_on_a_ring_behind_one_address(tmp_path: Path, setting: dict[str, str]) -> None:
    assert accused(aegisgate.rank(write_log(tmp_path, CROWD + ring(10, ip="90.0.0.1")), setting)) == TEN


@pytest.mark.parametrize("setting", AEGIS)
def test_aegisgate_fires_on_three_colleagues_behind_one_nat_with_one_agent(
    tmp_path: Path, setting: dict[str, str]
) -> None:
    preamble = "You are a careful coding agent. Follow the repository's conventions and run the tests."
    office = [
        row(
            f"c{who}",
            sentence(9_000 + who * 50 + each),
            each * 4_000 + who * 900,
            ip="31.1.1.1",
            system_prompt=preamble,
        )
        for who in range(3)
        for each in range(8)
    ]
    assert accused(aegisgate.rank(write_log(tmp_path, CROWD + office), setting)) == {"c0", "c1", "c2"}


def test_glasswally_merges_a_platform_over_one_popular_fingerprint(tmp_path: Path) -> None:
    popular = [one | {"tls_fingerprint": "popular"} for one in CROWD]
    found = glasswally.rank(write_log(tmp_path / "popular", popular), {"tier": 0.35})
    assert len(set(found.group.tolist())) == 1
    assert found.group[0] >= 0
    apart = glasswally.rank(write_log(tmp_path / "apart", CROWD), {"tier": 0.35})
    assert set(apart.group.tolist()) == {-1}


def test_glasswally_accuses_a_ring_with_many_cards_in_many_networks(tmp_path: Path) -> None:
    cards = {name: {"payment_fingerprint": f"pm_{int(name[1:]) % 7}"} for name in members(28)}
    log = write_log(tmp_path, CROWD + ring(28, 20, tls_fingerprint="one"), cards)
    assert accused(glasswally.rank(log, {"tier": 0.35})) == members(28)


def test_glasswally_scores_the_same_conduct_higher_in_one_country(tmp_path: Path) -> None:
    here = write_log(tmp_path / "here", ring(10, tls_fingerprint="one"))
    there = write_log(tmp_path / "there", ring(10, tls_fingerprint="one", country="CN"))
    setting = {"tier": 0.35}
    assert (glasswally.rank(there, setting).score > glasswally.rank(here, setting).score).all()


def test_isolation_forest_ranks_the_odd_one_first(tmp_path: Path) -> None:
    odd = [
        one | {"temperature": 0.0, "output_tokens": 9_000, "max_tokens": 90_000, "stream": False} for one in ring(1, 90)
    ]
    found = isolation.rank(write_log(tmp_path, people(60) + odd), {"samples": 256, "share": 0.05})
    assert first_ranked(found, 1) == members(1)
