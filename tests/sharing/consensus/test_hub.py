"""A hub takes signed statements, counts each source once, and keeps who says otherwise in sight."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest

from stillwatch.sharing.consensus.contributions import (
    Act,
    Contribution,
    ContributionRefused,
    Statement,
    public_of,
    read_contribution,
    sign,
)
from stillwatch.sharing.consensus.hub import Hub, Member, open_hub
from stillwatch.sharing.private.allowed import parse_allow_list
from stillwatch.sharing.private.indicators import Indicator

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
NAMES = ("north", "south", "east", "west")
KEYS = {name: bytes([at + 1]) * 32 for at, name in enumerate(NAMES)}
MEMBERS = {name: Member(public_of(key), "B") for name, key in KEYS.items()}
CARD = Indicator("payment", "pm_0123456789ab")


def says(who: str, act: Act = Act.SIGHTING, indicator: Indicator = CARD, days: int = 30, **more: Any) -> Contribution:
    made = more.pop("made", NOW)
    statement = Statement(
        who,
        act,
        indicator.kind,
        indicator.value,
        made.isoformat(),
        (made + dt.timedelta(days=days)).isoformat(),
        **more,
    )
    return sign(statement, KEYS[who])


def hub_of(*said: Contribution, **settings: Any) -> Hub:
    hub = Hub(MEMBERS, **settings)
    for one in said:
        hub.add(one, NOW.timestamp())
    return hub


def p_of(hub: Hub, days: float = 0.0) -> float:
    return hub.opinion(CARD, NOW.timestamp() + days * 86_400).confidence.p


def test_independent_sightings_add_up_and_one_organisation_counts_once() -> None:
    one = p_of(hub_of(says("north", count=5)))
    again = p_of(hub_of(says("north", count=5), says("north", count=4)))
    two = p_of(hub_of(says("north", count=5), says("south", count=5)))
    assert one == again < two


def test_what_is_passed_on_counts_with_its_origin_alone() -> None:
    first = says("north", count=5)
    alone, passed = hub_of(first), hub_of(first, says("south", Act.PASSED_ON, origin=first.id, count=5))
    assert p_of(passed) == p_of(alone)
    assert passed.opinion(CARD, NOW.timestamp()).organisations == ("north",)


def test_who_copies_a_list_without_saying_so_is_not_a_second_source() -> None:
    cards = [Indicator("payment", f"pm_{number:012d}") for number in range(30)]
    earlier = NOW - dt.timedelta(days=2)
    seen = [says("north", indicator=one, made=earlier, count=5) for one in [*cards, CARD]]
    copied = [says("south", indicator=one, count=5) for one in [*cards[:28], CARD]]
    own = [says("east", indicator=one, count=5) for one in [*cards[:3], CARD]]
    assert p_of(hub_of(*seen, *copied)) == p_of(hub_of(*seen))
    assert p_of(hub_of(*seen, *own)) > p_of(hub_of(*seen))
    assert hub_of(*seen, *copied).lineage() == {"north": "north", "south": "north"}


def test_a_dispute_takes_away_and_stays_in_sight() -> None:
    agreed = hub_of(says("north", count=5), says("south", count=5))
    disputed = hub_of(says("north", count=5), says("south", count=5), says("east", Act.DISPUTE))
    opinion = disputed.opinion(CARD, NOW.timestamp())
    assert p_of(disputed) < p_of(agreed)
    assert (opinion.disputed, opinion.confidence.disputing, opinion.organisations) == (
        True,
        ("east",),
        ("north", "south"),
    )


def test_statements_fade_expire_and_can_be_taken_back() -> None:
    first = says("north", count=5)
    hub = hub_of(first)
    assert p_of(hub) > p_of(hub, days=20) > p_of(hub, days=30)
    assert p_of(hub, days=30) == p_of(hub_of())
    hub.add(says("north", Act.WITHDRAWAL, about=first.id), NOW.timestamp())
    assert p_of(hub) == p_of(hub_of())


def test_the_allow_list_beats_everybody() -> None:
    everybody = [says(name, count=50) for name in NAMES]
    opinion = hub_of(*everybody, allow=parse_allow_list([f"payment {CARD.value}"])).opinion(CARD, NOW.timestamp())
    assert opinion.allowed
    assert opinion.confidence.reported == 0.0
    assert opinion.organisations == tuple(sorted(NAMES))


@pytest.mark.parametrize(
    ("act", "more", "reason"),
    [
        (Act.PASSED_ON, {}, "names its origin"),
        (Act.SIGHTING, {"origin": "ab" * 32}, "names its origin, and nothing else does"),
        (Act.PASSED_ON, {"origin": "ab" * 32}, "no statement about this indicator here"),
        (Act.WITHDRAWAL, {"about": "ab" * 32}, "only an own statement"),
        (Act.SIGHTING, {"days": 181}, "more than 180 days away"),
        (Act.SIGHTING, {"days": -1}, "valid_until is over"),
        (Act.SIGHTING, {"made": NOW + dt.timedelta(hours=1)}, "lies in the future"),
    ],
)
def test_what_a_hub_does_not_take_says_why(act: Act, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(ContributionRefused, match=reason):
        hub_of(says("north", act, **more))


def test_nobody_takes_back_or_repeats_what_is_not_his() -> None:
    first = says("north")
    with pytest.raises(ContributionRefused, match="only an own statement"):
        hub_of(first, says("south", Act.WITHDRAWAL, about=first.id))
    with pytest.raises(ContributionRefused, match="own statement; one sighting is said once"):
        hub_of(first, says("north", Act.PASSED_ON, origin=first.id))
    passed = says("south", Act.PASSED_ON, origin=first.id)
    with pytest.raises(ContributionRefused, match="no sighting; name whoever saw it"):
        hub_of(first, passed, says("east", Act.PASSED_ON, origin=passed.id))


def test_a_statement_in_another_s_name_or_with_other_words_is_refused() -> None:
    honest = says("north")
    forged = Contribution(dataclasses.replace(honest.statement, organisation="south"), honest.signature)
    changed = Contribution(dataclasses.replace(honest.statement, count=500), honest.signature)
    for one in (forged, changed, Contribution(honest.statement, "zz"), Contribution(honest.statement, "")):
        with pytest.raises(ContributionRefused, match="signature"):
            hub_of(one)
    stranger = Contribution(dataclasses.replace(honest.statement, organisation="nobody"), honest.signature)
    with pytest.raises(ContributionRefused, match="no member"):
        hub_of(stranger)


def test_the_order_of_arrival_alters_no_opinion() -> None:
    said = [says(name, count=at + 2, made=NOW - dt.timedelta(days=at)) for at, name in enumerate(NAMES)]
    said.append(says("east", Act.DISPUTE))
    expected = p_of(hub_of(*said))
    for seed in range(5):
        mixed = random.Random(seed).sample(said, len(said))
        assert p_of(hub_of(*mixed)) == pytest.approx(expected)


def test_a_file_of_lines_is_the_hub_and_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "contributions.ndjson"
    hub = hub_of(says("north", count=5), says("south", count=5), path=path)
    assert not hub.add(says("north", count=5), NOW.timestamp())
    with path.open("ab") as file:
        file.write(b'{"signature": "12')
    again = open_hub(MEMBERS, path)
    assert list(again.held) == list(hub.held)
    assert p_of(again) == p_of(hub)
    assert path.read_bytes().endswith(b"}\n")
    left = open_hub({"north": MEMBERS["north"]}, path)
    assert [one.statement.organisation for one in left.held.values()] == ["north"]


def test_with_reciprocity_who_gives_nothing_sees_its_own_alone() -> None:
    hub = hub_of(says("north"), says("south", Act.DISPUTE))
    now = NOW.timestamp()
    assert len(hub.page("south", 0, 10, now)) == 2
    assert [one.statement.organisation for one in hub.page("south", 0, 10, now, reciprocal_days=30)] == ["south"]
    assert len(hub.page("north", 0, 10, now, reciprocal_days=30)) == 2
    assert len(hub.page("north", 1, 10, now)) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "one JSON object"),
        (b"[]", "exactly the fields"),
        (b" " * 5_000, "5,000 bytes"),
        (says("north").to_line().replace('"count": 1', '"count": true').encode(), "count is no whole number"),
        (says("north").to_line().replace('"count": 1', '"count": 0').encode(), "count is below 1"),
        (says("north").to_line().replace("sighting", "accusation").encode(), "act is 'accusation'"),
        (says("north").to_line().replace(CARD.value, "4111 1111 1111 1111").encode(), "value is no payment"),
        (says("north").to_line().replace("+00:00", "+01:00").encode(), "not in UTC"),
        (says("north").to_line().replace("2026-03-01", "yesterday").encode(), "no RFC 3339"),
    ],
)
def test_a_line_that_is_no_contribution_is_refused(line: bytes, reason: str) -> None:
    with pytest.raises(ContributionRefused, match=reason):
        read_contribution(line)


def test_a_contribution_survives_the_way() -> None:
    one = says("north", count=7, detector="shared-payment@1f2e")
    assert read_contribution(one.to_line()) == one
