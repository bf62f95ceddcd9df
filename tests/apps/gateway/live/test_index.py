"""What a request shows is matched to the campaign that owns it, and to nobody when strangers could show it too."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.apps.gateway.live.facts import DAY
from stillwatch.apps.gateway.live.index import COLUMNS, Index
from stillwatch.apps.gateway.live.values import CONTENT, INFRASTRUCTURE, plain_address, prefix, shown_by_request
from stillwatch.model import InputRefused, UsageError, VerdictKind
from stillwatch.sketch.one import RequestSketch
from stillwatch.sketch.text import SketchKey
from tests.apps.gateway.live.small import KEY, NAMER, NOW, arrival, campaign, index, names

TWO = (campaign(), campaign("C-two", VerdictKind.SUSPECT, p=0.7))
VALUES = [("frame", 11, 0), ("ip", "198.51.100.7", 0), ("ip", "198.51.100.7", 1), ("payment_fingerprint", "pm_1", 1)]
NEWCOMER = NAMER("account", "newcomer")


def test_a_frame_and_an_address_are_two_families_of_one_campaign() -> None:
    match = index(VALUES, campaigns=TWO).match(names(("frame", 11), ("ip", "198.51.100.7")), NEWCOMER, NOW)
    assert match is not None
    assert (match.campaign.campaign_id, match.count, match.continues) == ("C-one", 2, True)
    assert (match.content, match.infrastructure, match.funding, match.artefact) == (True, True, False, False)


def test_the_campaign_with_most_families_is_named() -> None:
    shown = names(("ip", "198.51.100.7"), ("payment_fingerprint", "pm_1"))
    match = index(VALUES, campaigns=TWO).match(shown, NEWCOMER, NOW)
    assert match is not None
    assert match.campaign.campaign_id == "C-two"
    assert not match.continues  # nothing of what it asks is the campaign's


def test_a_template_goes_on_with_the_work_and_an_address_does_not() -> None:
    for value, continues in ((("frame", 11), True), (("ip", "198.51.100.7"), False)):
        match = index(VALUES, campaigns=TWO).match(names(value), NEWCOMER, NOW)
        assert match is not None
        assert (match.count, match.continues) == (1, continues)


def test_a_stranger_matches_nothing() -> None:
    assert index(VALUES, campaigns=TWO).match(names(("frame", 12), ("ip", "198.51.100.8")), NEWCOMER, NOW) is None
    assert Index().match(names(("frame", 11)), NEWCOMER, NOW) is None


def test_a_value_of_another_kind_is_another_value() -> None:
    assert index([("ip", "7", 0)]).match(names(("prefix", "7"), ("phone_hash", "7")), NEWCOMER, NOW) is None


def test_an_indicator_expires() -> None:
    held = index(VALUES, campaigns=TWO)
    assert held.match(names(("frame", 11)), NEWCOMER, NOW + DAY - 1) is not None
    assert held.match(names(("frame", 11)), NEWCOMER, NOW + DAY) is None


def test_an_account_that_was_judged_and_cleared_does_not_match_by_its_template() -> None:
    held = index(VALUES, campaigns=TWO, cleared=["newcomer"])
    assert held.match(names(("frame", 11)), NEWCOMER, NOW) is None
    match = held.match(names(("frame", 11), ("ip", "198.51.100.7")), NEWCOMER, NOW)
    assert match is not None
    assert match.families == INFRASTRUCTURE


def test_more_values_than_are_looked_up_do_no_harm() -> None:
    shown = names(("frame", 11), *(("artefact", f"h{number}") for number in range(1_000)))
    match = index(VALUES, campaigns=TWO).match(shown, NEWCOMER, NOW)
    assert match is not None
    assert match.families == CONTENT


def test_an_index_on_disk_says_what_it_said_in_memory(tmp_path: Path) -> None:
    held = index(VALUES, [("bad", 1, CONTENT)], TWO)
    held.write(tmp_path, KEY)
    mapped = Index.map(tmp_path, KEY)
    assert mapped.campaigns == held.campaigns
    assert (mapped.version, mapped.until) == (held.version, held.until)
    for name in COLUMNS:
        column = getattr(mapped.columns, name)
        assert (column == getattr(held.columns, name)).all()
        assert not column.flags.writeable
    assert mapped.match(names(("frame", 11)), NEWCOMER, NOW) == held.match(names(("frame", 11)), NEWCOMER, NOW)
    member = mapped.member(NAMER("account", "bad"))
    assert member is not None
    assert (member.number, member.p, member.families) == (1, 0.9, CONTENT)
    assert mapped.member(NEWCOMER) is None


def test_an_empty_index_can_be_written_and_mapped(tmp_path: Path) -> None:
    Index().write(tmp_path, KEY)
    assert Index.map(tmp_path, KEY).match(names(("frame", 11)), NEWCOMER, NOW) is None


def test_an_index_of_another_secret_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    index(VALUES, campaigns=TWO).write(tmp_path, KEY)
    with pytest.raises(UsageError, match="another secret"):
        Index.map(tmp_path, SketchKey.from_secret(b"other"))
    (tmp_path / "names.npy").write_bytes(b"nonsense")
    with pytest.raises(InputRefused, match="damaged"):
        Index.map(tmp_path, KEY)
    with pytest.raises(InputRefused, match="no index"):
        Index.map(tmp_path / "nowhere", KEY)


def test_no_value_stands_in_an_index(tmp_path: Path) -> None:
    index(VALUES, [("bad", 1, CONTENT)], TWO).write(tmp_path, KEY)
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"198.51" not in held
    assert b"pm_1" not in held
    assert b"bad" not in held


def test_volumes_of_a_campaign_fall_out_of_the_day_hour_by_hour() -> None:
    held = index(VALUES, campaigns=TWO)
    hour = DAY // 24
    assert [held.exchanges_of(0, NOW + hours * hour) for hours in (0, 1, 23, 24, 99)] == [24, 23, 1, 0, 0]


@pytest.mark.parametrize(
    ("written", "plain", "cut"),
    [
        ("198.51.100.7", "198.51.100.7", "198.51.100"),
        ("::FFFF:198.51.100.7", "198.51.100.7", "198.51.100"),
        ("2001:DB8:1::7", "2001:db8:1::7", "2001:db8:1"),
        ("nonsense", "nonsense", None),
    ],
)
def test_addresses_are_spelt_and_cut_as_in_the_log(written: str, plain: str, cut: str | None) -> None:
    assert plain_address(written) == plain
    assert prefix(plain) == cut


def test_what_a_request_shows_is_named_as_the_sketch_names_it() -> None:
    shown = shown_by_request(RequestSketch(template_key=11, system_key=-3), arrival(artefacts_in=("h1",)))
    assert shown == [
        ("frame", 11),
        ("frame", -3),
        ("ip", "198.51.100.7"),
        ("prefix", "198.51.100"),
        ("stack_asn", "|agent/1|64500"),
        ("artefact", "h1"),
    ]
    bare = arrival(ip=None, user_agent=None, asn=None)
    assert shown_by_request(RequestSketch(), bare) == []
