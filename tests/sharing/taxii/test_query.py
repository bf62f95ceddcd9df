"""Query parameters are read strictly: what is malformed is refused, what is unknown is ignored."""

from __future__ import annotations

import pytest

from stillwatch.sharing.taxii.media import is_acceptable, is_taxii
from stillwatch.sharing.taxii.query import Query, read_query
from stillwatch.sharing.taxii.times import read_time, write_time
from stillwatch.sharing.taxii.words import TAXII, Refusal


def test_reads_every_parameter() -> None:
    asked = [
        ("limit", "5"),
        ("next", "1000"),
        ("match[id]", "a,b"),
        ("match[type]", "indicator"),
        ("match[spec_version]", "2.0,2.1"),
        ("match[version]", "first,2026-01-01T00:00:00.000Z"),
        ("match[colour]", "red,red,"),
        ("anything", "else"),
    ]
    january = read_time("2026-01-01T00:00:00Z")
    assert january is not None
    assert read_query(asked, "objects") == Query(
        limit=5,
        after=1000,
        ids=("a", "b"),
        types=("indicator",),
        spec_versions=("2.0", "2.1"),
        versions=("first", "2026-01-01T00:00:00.000Z"),
        exact=(january,),
    )


@pytest.mark.parametrize(
    "pair",
    [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "1.5"),
        ("limit", "abc"),
        ("limit", ""),
        ("limit", "١"),
        ("limit", "9" * 40),
        ("next", "garbage"),
        ("next", "-1"),
        ("next", ""),
        ("added_after", "yesterday"),
        ("added_after", "2026-01-01"),
        ("added_after", "2026-13-01T00:00:00Z"),
        ("added_after", "2026-01-01T00:00:00+00:00"),
        ("added_after", ""),
        ("match[id]", ""),
        ("match[id]", "a,,b"),
        ("match[id]", "a\x00b"),
        ("match[type]", ","),
        ("match[type]", ",".join(["a"] * 2_000)),
        ("match[version]", "notatime"),
        ("match[version]", "all,last"),
        ("match[version]", "last,last"),
        ("match[version]", "ALL"),
    ],
)
def test_refuses_what_is_malformed(pair: tuple[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        read_query([pair], "objects")
    assert refused.value.status == 400
    assert pair[0] in refused.value.description


@pytest.mark.parametrize("name", ["limit", "next", "added_after", "match[id]", "match[version]"])
def test_refuses_a_parameter_that_stands_there_twice(name: str) -> None:
    with pytest.raises(Refusal, match="twice"):
        read_query([(name, "1"), (name, "1")], "objects")


def test_each_endpoint_has_its_own_filters() -> None:
    asked = [("match[id]", "a"), ("match[type]", "b"), ("match[version]", "first"), ("match[spec_version]", "2.0")]
    assert read_query(asked, "object", "x") == Query(ids=("x",), versions=("first",), spec_versions=("2.0",))
    assert read_query(asked, "versions", "x") == Query(ids=("x",), versions=("all",), spec_versions=("2.0",))
    assert read_query([*asked, ("limit", "0")], "delete", "x").versions == ("first",)


def test_next_and_added_after_together_are_the_later_of_both() -> None:
    later = write_time(2_000)
    assert read_query([("next", "1000"), ("added_after", later)], "objects").after == 2_000
    assert read_query([("next", "3000"), ("added_after", later)], "objects").after == 3_000


def test_times_keep_their_microseconds() -> None:
    for text in ("2026-11-26T01:49:19.341477Z", "1970-01-01T00:00:00.000000Z", "2099-12-31T23:59:59.999999Z"):
        assert write_time(read_time(text) or 0) == text
    assert read_time("2026-01-01T00:00:00.1234567Z") == read_time("2026-01-01T00:00:00.123456Z")
    assert read_time("2026-01-01T00:00:00.1Z") == read_time("2026-01-01T00:00:00.100000Z")
    for wrong in (None, 3, "", "2026-01-01", "2026-01-01 00:00:00Z", "2026-01-01T00:00:60Z", "٢٠٢٦-01-01T00:00:00Z"):
        assert read_time(wrong) is None


@pytest.mark.parametrize(
    ("header", "good"),
    [
        (None, True),
        ("", True),
        (TAXII, True),
        ("application/taxii+json", True),
        ("application/taxii+json; version=2.1", True),
        ('application/taxii+json;version="2.1"', True),
        (TAXII + ";q=0.9", True),
        ("text/html, " + TAXII, True),
        ("APPLICATION/TAXII+JSON;VERSION=2.1", True),
        ("*/*", True),
        ("application/*;q=0.1", True),
        ("application/taxii+json;version=9.9", False),
        ("application/taxii+json;version=2.0", False),
        ("application/json", False),
        ("text/html", False),
        (TAXII + ";q=0", False),
        (TAXII + ";q=0.000", False),
        (",;,=", False),
    ],
)
def test_an_accept_header_leaves_room_for_taxii_or_does_not(header: str | None, good: bool) -> None:
    assert is_acceptable(header) is good


@pytest.mark.parametrize(
    ("header", "good"),
    [(TAXII, True), ("application/taxii+json", True), ("application/taxii+json; charset=utf-8", True), (None, False),
     ("application/json", False), ("text/plain", False), ("application/taxii+json;version=2.0", False)],
)  # fmt: skip
def test_a_content_type_is_taxii_or_is_not(header: str | None, good: bool) -> None:
    assert is_taxii(header) is good
