"""Equal indicators are equal bytes whoever spells them; what is none is left out; what is popular is not compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.model import InputRefused
from stillwatch.sharing.private.allowed import parse_allow_list, read_allow_list
from stillwatch.sharing.private.indicators import KINDS, Indicator, from_bytes, normalise
from stillwatch.sharing.private.known import EXPIRES, Shown, distinctive, elements, fresh
from stillwatch.sharing.private.messages import FAMILIES


@pytest.mark.parametrize(
    ("kind", "spellings", "normal"),
    [
        ("address", ["203.0.113.7", " 203.0.113.7 ", "::ffff:203.0.113.7"], "203.0.113.7"),
        ("address", ["2001:db8::1", "2001:DB8:0:0:ffff::9"], "2001:db8::/64"),
        (
            "client",
            ["64500|t13d1516h2_8daaf6152771", "AS64500|T13D1516H2_8DAAF6152771"],
            "64500|t13d1516h2_8daaf6152771",
        ),
        ("mail-domain", ["Example.ORG", "example.org."], "example.org"),
        ("mail-domain", ["bücher.example"], "xn--bcher-kva.example"),
        ("payment", ["pm_0123456789ab"], "pm_0123456789ab"),
    ],
)
def test_one_value_has_one_spelling(kind: str, spellings: list[str], normal: str) -> None:
    assert {normalise(kind, each) for each in spellings} == {Indicator(kind, normal)}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("address", "10.0.0.8"),
        ("address", "127.0.0.1"),
        ("address", "fe80::1"),
        ("address", "100.64.0.9"),
        ("address", "203.0.113.0/24"),
        ("address", "home"),
        ("address", ""),
        ("client", "64500"),
        ("client", "0|t13d1516h2_8daaf6152771"),
        ("client", "64500|curl"),
        ("payment", "4111 1111 1111 1111"),
        ("payment", "short"),
        ("mail-domain", "localhost"),
        ("mail-domain", "a" * 300 + ".example"),
        ("mail-domain", "somebody@example.org"),
    ],
)
def test_what_is_none_of_its_kind_is_left_out(kind: str, value: str) -> None:
    assert normalise(kind, value) is None


def test_kinds_never_collide_and_bytes_lead_back() -> None:
    same = [Indicator(kind, "value-of-both") for kind in KINDS]
    assert len({one.to_bytes() for one in same}) == len(KINDS)
    assert [from_bytes(one.to_bytes()) for one in same] == same


def test_every_kind_belongs_to_a_family_that_is_compared_and_expires() -> None:
    assert {kind.family for kind in KINDS.values()} == set(FAMILIES) == set(EXPIRES)


def test_popular_is_not_compared() -> None:
    def seen(inside: int, outside: int) -> Shown:
        return Shown("C-1", "suspect", Indicator("address", "203.0.113.7"), inside, outside, 0.0)

    own, gateway, everybody = seen(3, 1), seen(3, 2), seen(200, 0)
    assert distinctive([own, gateway, everybody], accounts=1_000) == (own,)


def test_a_cap_keeps_what_most_members_show() -> None:
    rows = [Shown("C-1", "suspect", Indicator("payment", f"pm_{n:012d}"), n, 0, 0.0) for n in range(1, 6)]
    assert elements(rows, "funding", 2) == (b"payment\x00pm_000000000005", b"payment\x00pm_000000000004")
    assert elements(rows, "infrastructure", 2) == ()


def test_what_was_last_seen_long_before_the_newest_is_not_compared() -> None:
    day = 86_400.0
    rows = [
        Shown("C-1", "suspect", Indicator(kind, "value-of-both"), 1, 0, when * day)
        for kind in ("address", "payment")
        for when in (0.0, 61.0, 181.0)
    ]
    kept = [(one.indicator.kind, one.last_seen / day) for one in fresh(rows)]
    assert kept == [("address", 181.0), ("payment", 61.0), ("payment", 181.0)]


def test_a_network_on_the_allow_list_covers_its_addresses() -> None:
    allow = parse_allow_list(
        ["203.0.113.0/24  # our office", "", "example.org", "payment pm_0123456789ab", "2001:db8::/32"]
    )
    covered = ["address 203.0.113.7", "address 2001:db8::1", "mail-domain example.org", "payment pm_0123456789ab"]
    for text in covered:
        assert allow.covers(normalise(*text.split(" ")))  # type: ignore[arg-type]
    assert not allow.covers(Indicator("address", "198.51.100.7"))
    assert not allow.covers(Indicator("payment", "pm_other_other"))


def test_a_line_that_says_nothing_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "allow.txt"
    path.write_text("example.org\npayment 1\n")
    with pytest.raises(InputRefused, match=r"allow\.txt:2: 'payment 1' is no network"):
        read_allow_list(path)
    with pytest.raises(InputRefused, match="cannot be read"):
        read_allow_list(tmp_path / "missing")
