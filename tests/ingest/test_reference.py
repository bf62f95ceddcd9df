"""Reference files: their kind by content, their age by what they carry, and what is wrong with one."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from stillwatch.ingest.ranges import lookup_of, unpack
from stillwatch.ingest.reference import Reference, read_reference
from stillwatch.model import InputRefused

ASN = '1.0.0.0,1.0.0.255,13335,"Example, Inc."\n1.0.4.0,1.0.7.255,38803,Other\n2001:200::,2001:200:ffff::,2500,Third\n'


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def write_mmdb(path: Path, records: dict[str, object], version: int = 6) -> Path:
    writer = MMDBWriter(version, "Test", description="made by a test", ipv4_compatible=version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


def said(reference: Reference, *addresses: str) -> list[tuple[int, str]]:
    assert reference.ranges is not None
    asn, country = unpack(lookup_of([reference.ranges]).find(pa.array(addresses)))
    letters = ["".join(map(chr, divmod(code, 256))).strip("\0") for code in country.tolist()]
    return list(zip(asn.tolist(), letters, strict=True))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: pa.compress(data, "zstd", asbytes=True)])
def test_ranges_with_systems_are_known_by_their_content(tmp_path: Path, pack: object) -> None:
    reference = read_reference(write(tmp_path, "whatever", pack(ASN.encode())))  # type: ignore[operator]
    assert (reference.says, reference.rows) == (("asn",), 3)
    found = said(reference, "1.0.0.7", "1.0.1.0", "1.0.5.1", "2001:200:1::9")
    assert found == [(13335, ""), (0, ""), (38803, ""), (2500, "")]


@pytest.mark.parametrize(
    ("text", "says", "expected"),
    [
        ("1.0.0.0,1.0.0.255,AU\n1.0.1.0,1.0.3.255,cn\n", ("country",), (0, "CN")),
        ("# from a registry\n1.0.0.0\t1.0.0.255\t0\tNone\tNot routed\n1.0.1.0\t1.0.3.255\t9808\tCN\tX\n",
         ("asn", "country"), (9808, "CN")),
        ("network,autonomous_system_number,organization\n1.0.0.0/24,13335,A\n1.0.1.0/24,AS9808,B\n",
         ("asn",), (9808, "")),
        ("start_ip;end_ip;country;asn\n1.0.1.0;1.0.1.255;CN;AS9808\n", ("asn", "country"), (9808, "CN")),
    ],
    ids=["countries", "both, by tabs", "networks with a header", "columns in another order"],
)  # fmt: skip
def test_the_columns_of_a_table_of_ranges_show_themselves(
    tmp_path: Path, text: str, says: tuple[str, ...], expected: tuple[int, str]
) -> None:
    reference = read_reference(write(tmp_path, "ranges.csv", text))
    assert reference.says == says
    assert said(reference, "1.0.1.9") == [expected]
    assert not reference.rejected.num_rows


def test_a_bad_row_is_set_aside_with_its_line_and_the_others_are_used(tmp_path: Path) -> None:
    text = ASN + "nowhere,1.0.0.1,7,x\n5.0.0.9,5.0.0.1,7,backwards\n6.0.0.0,6.0.0.1,4294967296,large\n7.0.0.0,7.0.0.9\n"
    reference = read_reference(write(tmp_path, "asn.csv", text))
    assert [(each["file"], each["row"]) for each in reference.rejected.to_pylist()] == [
        (str(tmp_path / "asn.csv"), row) for row in (4, 5, 6, 7)
    ]
    assert said(reference, "1.0.0.7", "5.0.0.5", "6.0.0.0") == [(13335, ""), (0, ""), (0, "")]


def test_a_list_of_networks_and_addresses_says_only_who_is_on_it(tmp_path: Path) -> None:
    text = "# rented\n1.12.0.0/14\n 9.9.9.9 # one\n2001:db8::/32\nnot-an-address\n"
    reference = read_reference(write(tmp_path, "rented_v4.txt", text))
    assert (reference.says, reference.name) == (("networks",), "rented_v4")
    assert reference.ranges is not None
    found = lookup_of([reference.ranges]).find(pa.array(["1.15.255.255", "1.16.0.0", "9.9.9.9", "2001:db8::1"]))
    assert found.tolist() == [1, 0, 1, 1]
    assert [each["row"] for each in reference.rejected.to_pylist()] == [5]


@pytest.mark.parametrize(
    "text", [json.dumps(["Brief.example", "once.example.net"]), "@brief.example\nonce.example.net\n"]
)
def test_a_list_of_mail_domains_is_one_as_lines_or_json(tmp_path: Path, text: str) -> None:
    reference = read_reference(write(tmp_path, "disposable", text))
    assert reference.says == ("mail domains",)
    assert reference.domains == {"brief.example", "once.example.net"}


def test_an_mmdb_file_says_systems_of_both_kinds_of_address_and_when_it_was_built(tmp_path: Path) -> None:
    records = {
        "1.0.0.0/24": {"autonomous_system_number": 13335, "autonomous_system_organization": "A"},
        "2001:db8::/32": {"autonomous_system_number": 64500},
    }
    reference = read_reference(write_mmdb(tmp_path / "any.name", records))
    assert (reference.says, reference.rows, reference.dated_by) == (("asn",), 2, "build_epoch")
    assert reference.dated is not None
    assert reference.dated.endswith("Z")
    assert said(reference, "1.0.0.200", "1.0.1.0", "2001:db8:1::1") == [(13335, ""), (0, ""), (64500, "")]


@pytest.mark.parametrize(
    ("record", "says", "expected"),
    [
        ({"country": {"iso_code": "DE"}}, ("country",), (0, "DE")),
        ({"asn": "AS64500", "country_code": "DE"}, ("asn", "country"), (64500, "DE")),
        ({"country": "DE"}, ("country",), (0, "DE")),
        ({"is_hosting_provider": True}, ("networks",), None),
    ],
    ids=["nested", "both", "flat", "hosting"],
)
def test_the_common_records_of_mmdb_files_are_read(
    tmp_path: Path, record: dict[str, object], says: tuple[str, ...], expected: tuple[int, str] | None
) -> None:
    reference = read_reference(write_mmdb(tmp_path / "a.mmdb", {"1.0.0.0/24": record}, version=4))
    assert reference.says == says
    assert expected is None or said(reference, "1.0.0.1") == [expected]


@pytest.mark.parametrize(
    ("name", "data", "dated", "by"),
    [
        ("asn-2026-09.csv", ASN.encode(), "2026-09", "file name"),
        ("asn-20260917.csv.gz", gzip.compress(ASN.encode(), mtime=1_789_000_000), "2026-09-17", "file name"),
        ("asn.csv.gz", gzip.compress(ASN.encode(), mtime=1_789_000_000), "2026-09-10T00:26:40Z", "gzip header"),
        ("asn.csv.gz", gzip.compress(ASN.encode(), mtime=499_162_500), None, None),
        ("asn.csv", ASN.encode(), None, None),
    ],
    ids=["month", "day", "gzip", "a fixed gzip time", "none"],
)
def test_a_file_is_dated_by_what_it_carries_and_never_by_the_file_system(
    tmp_path: Path, name: str, data: bytes, dated: str | None, by: str | None
) -> None:
    path = write(tmp_path, name, data)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    reference = read_reference(path)
    assert (reference.dated, reference.dated_by) == (dated, by)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"# only this\n", "is empty"),
        (b"\x7fELF\0\0\0", "neither text nor MMDB"),
        (b"hello world\nthis is prose\n", "neither an address, a network nor a domain"),
        (b"a,b\n1,2\n", "is no table of ranges"),
        (b"network,geoname_id\n1.0.0.0/24,2077456\n", "neither a system nor a country, only network, geoname_id"),
        (b"1.0.0.0,1.0.0.255,somewhere nice\n", "neither a system nor a country"),
        (b"[1, 2", "begins like a JSON array"),
        (gzip.compress(ASN.encode())[:-9], "is not a whole compressed file"),
        (b"\xab\xcd\xefMaxMind.com", "damaged MMDB"),
    ],
    ids=range(10),
)
def test_a_file_of_no_known_kind_is_refused_with_the_kinds_that_there_are(
    tmp_path: Path, data: bytes, says: str
) -> None:
    with pytest.raises(InputRefused, match=r"odd: .*; give an MMDB file, ranges as CSV") as refused:
        read_reference(write(tmp_path, "odd", data))
    assert says in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="cannot be read"):
        read_reference(tmp_path / "none.mmdb")


def test_an_mmdb_file_about_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="type 'Test', which says neither"):
        read_reference(write_mmdb(tmp_path / "a.mmdb", {"1.0.0.0/24": {"city": "x"}}))
