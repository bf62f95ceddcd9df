"""Addresses as numbers, and ranges as a table: checked against Python's own ipaddress, one address at a time."""

from __future__ import annotations

import ipaddress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.ingest import addressing
from stillwatch.ingest.ranges import Ranges, join, lookup_of, pack, read_networks, text_of, unpack

MAPPED = 0xFFFF_0000_0000
ADDRESS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
NEAR = st.integers(0, 40)  # few addresses, so that ranges of a test overlap


def number(text: str) -> int:
    address = ipaddress.ip_address(text)
    return int(address) + (MAPPED if address.version == 4 else 0)


def halves(numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([each >> 64 for each in numbers], np.uint64),
        np.array([each & (2**64 - 1) for each in numbers], np.uint64),
    )


def ranges_of(rows: list[tuple[int, int, int]]) -> Ranges:
    return Ranges(halves([r[0] for r in rows]), halves([r[1] for r in rows]), np.array([r[2] for r in rows], np.int64))


def read(texts: list[str]) -> list[int | None]:
    high, low, length = addressing.read_addresses(*text_of(pa.array(texts)))
    return [
        None if at == addressing.NO_ADDRESS else (int(h) << 64) | int(w)
        for h, w, at in zip(high, low, length, strict=True)
    ]


@settings(deadline=None)  # the first call compiles
@given(st.lists(ADDRESS, max_size=20))
def test_an_address_in_any_spelling_is_the_number_that_python_says(addresses: list[ipaddress.IPv6Address]) -> None:
    for spell in (str, lambda each: each.exploded, lambda each: str(each).upper()):
        assert read([spell(each) for each in addresses]) == [number(str(each)) for each in addresses]


@pytest.mark.parametrize("text", ["::", "::1", "1::", "64:ff9b::192.0.2.33", "::ffff:1.2.3.4", "1:2:3:4:5:6:7::"])
def test_the_short_spellings_are_read(text: str) -> None:
    assert read([text]) == [int(ipaddress.IPv6Address(text))]


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.", "a.b.c.d", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "12345::",
     "g::", "1:2:3:4:5:6:7:8:9", "1.2.3.4/33", "::/129", "1.2.3.4/", "1:2:3:4:5:6:7:8::", "::1:", "prompt"],
)  # fmt: skip
def test_what_is_no_address_is_none(text: str) -> None:
    assert read([text]) == [None]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(ADDRESS, st.integers(0, 128)), min_size=1, max_size=10))
def test_a_network_begins_and_ends_where_python_says(pairs: list[tuple[ipaddress.IPv6Address, int]]) -> None:
    networks = [ipaddress.ip_network((each, min(bits, each.max_prefixlen)), strict=False) for each, bits in pairs]
    first, last, good = read_networks(pa.array([str(each) for each in networks]))
    assert good.all()
    for at, network in enumerate(networks):
        assert (int(first[0][at]) << 64) | int(first[1][at]) == number(str(network[0]))
        assert (int(last[0][at]) << 64) | int(last[1][at]) == number(str(network[-1]))


def says_by_hand(rows: list[tuple[int, int, int]], address: int) -> int:
    """Of the ranges with the address, the narrowest of those that begin last; of equal ones the first."""
    holding = [row for row in rows if row[0] <= address <= row[1]]
    if not holding:
        return 0
    begin = max(row[0] for row in holding)
    end = min(row[1] for row in holding if row[0] == begin)
    return next(row[2] for row in holding if row[:2] == (begin, end))


SOME = st.lists(st.tuples(NEAR, NEAR, st.integers(1, 5)).map(lambda r: (min(r[:2]), max(r[:2]), r[2])), max_size=12)


@settings(deadline=None)  # the first call compiles
@given(SOME, st.sampled_from([0, MAPPED - 20, 2**128 - 41]))
def test_of_overlapping_ranges_the_one_that_begins_last_says_and_of_those_the_narrowest(
    rows: list[tuple[int, int, int]], base: int
) -> None:
    moved = [(first + base, last + base, says) for first, last, says in rows]
    lookup = lookup_of([ranges_of(moved)])
    texts = [str(ipaddress.IPv6Address(base + near)) for near in range(41)]
    found = lookup.find(pa.array(texts)).tolist()
    assert found == [says_by_hand(moved, base + near) for near in range(41)]


@settings(deadline=None)  # the first call compiles
@given(SOME, SOME)
def test_layers_are_looked_up_together_as_if_one_by_one(
    one: list[tuple[int, int, int]], other: list[tuple[int, int, int]]
) -> None:
    other = [(first, last, says << 8) for first, last, says in other]
    texts = pa.array([str(ipaddress.IPv6Address(near)) for near in range(41)])
    apart = [lookup_of([ranges_of(rows)]).find(texts) for rows in (one, other)]
    together = lookup_of([ranges_of(one), ranges_of(other)]).find(texts)
    assert together.tolist() == (apart[0] | apart[1]).tolist()


def test_v4_and_v6_are_found_in_one_table_and_a_mapped_address_is_its_v4_one() -> None:
    rows = [("1.2.3.0", "1.2.3.255", 1), ("2001:db8::", "2001:db8::ffff", 2), ("255.255.255.255", "255.255.255.255", 3)]
    lookup = lookup_of([ranges_of([(number(a), number(b), says) for a, b, says in rows])])
    asked = [
        "1.2.3.4",
        "::ffff:1.2.3.4",
        "1.2.4.0",
        "2001:DB8::12",
        "2001:db8::1:0",
        "255.255.255.255",
        "::",
        "no",
        None,
    ]
    assert lookup.find(pa.array(asked)).tolist() == [1, 1, 0, 2, 0, 3, 0, 0, 0]
    assert lookup.find(pa.array(asked)[3:6]).tolist() == [2, 0, 3]


def test_files_are_joined_in_the_order_given_and_the_first_says_of_equal_ranges() -> None:
    lookup = lookup_of([join([ranges_of([(5, 9, 1)]), ranges_of([(5, 9, 2), (7, 7, 3)])])])
    assert lookup.find(pa.array(["::5", "::7", "::9"])).tolist() == [1, 3, 1]


def test_system_and_country_are_one_number_and_part_again() -> None:
    asn, country = np.array([0, 13335, 2**32 - 1]), np.array(["", "DE", "FR"])
    says = pack(asn, country)
    back = unpack(says)
    assert back[0].tolist() == asn.tolist()
    assert ["".join(map(chr, divmod(code, 256))).strip("\0") for code in back[1].tolist()] == country.tolist()
