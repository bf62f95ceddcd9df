"""Files of partners: what is sound is taken, what is not is set aside with the mend, and nothing else is lost."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from stillwatch.model import UsageError
from stillwatch.sharing.feeds.settings import read_settings
from stillwatch.sharing.feeds.wanted import read_wanted
from stillwatch.sharing.feeds.words import DAY_US
from tests.sharing.feeds.made import AUTHOR, NOW, bundle, feeds, indicator, partner

HOSTILE = [
    "[email-addr:value MATCHES '^(a+)+$']",
    "[domain-name:value LIKE '%']",
    "[ipv4-addr:value ISSUBSET '1.0.0.0/0']",
    "[ipv4-addr:value ISSUBSET '198.0.0.0/8']",
    "[ipv4-addr:value = '10.0.0.1']",
    "[ipv4-addr:value = '999.1.1.1']",
    "[x-stillwatch-prompt-template:scheme = 'other' AND x-stillwatch-prompt-template:sketch = 'other:00']",
    "[autonomous-system:number = 99999999999]",
]


def test_each_hostile_pattern_is_set_aside_with_its_reason_and_costs_nothing_else(tmp_path: Path) -> None:
    bad = [indicator(pattern, number) for number, pattern in enumerate(HOSTILE, 10)]
    (tmp_path / "b.json").write_bytes(bundle(*bad[:4], indicator(), *bad[4:]))
    with feeds(tmp_path, partner("stix", "b.json")) as one:
        done = one.pull()
        assert (done[0].new, done[0].refused, done[0].trouble) == (1, len(HOSTILE), "")
        assert one.values() == [("address", "198.51.100.7")]
        assert all(reason for reason in one.refusals())


@pytest.mark.parametrize(
    "held",
    [
        {"confidence": 300}, {"valid_from": "soon"}, {"id": "indicator--7"}, {"valid_until": "2020-01-01T00:00:00Z"},
        {"modified": None},
    ],
)  # fmt: skip
def test_an_object_that_does_not_validate_is_set_aside_by_its_id(tmp_path: Path, held: dict[str, object]) -> None:
    (tmp_path / "b.json").write_bytes(bundle(indicator(number=2, **held), indicator()))
    with feeds(tmp_path, partner("stix", "b.json")) as one:
        assert one.pull()[0].refused == 1
        assert one.values() == [("address", "198.51.100.7")]


def test_deep_nesting_and_large_objects_are_refused_with_a_reason_and_bounded_memory(tmp_path: Path) -> None:
    limits = "[limits]\nbody_length = 2000000\nobject_length = 2000\n"
    (tmp_path / "deep.json").write_bytes(b'{"type":"bundle","objects":[' + b"[" * 200_000 + b"]" * 200_000 + b"]}")
    (tmp_path / "many.json").write_bytes(bundle(indicator(description="x" * 5_000, number=2), indicator()))
    with (tmp_path / "huge.json").open("wb") as file:
        file.write(b'{"type":"bundle","objects":[{"type":"indicator","description":"')
        file.truncate(100_000_000)
    with feeds(tmp_path, limits + partner("stix", "*.json")) as one:
        tracemalloc.start()
        done = one.pull()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (done[0].new, done[0].refused) == (1, 3)
        assert "longer than 2,000,000 bytes" in " ".join(one.refusals())
        assert "deep" in " ".join(one.refusals())
    assert peak < 40_000_000


def test_a_csv_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("ip,until,score\n198.51.100.9,2026-03-01,60\n10.0.0.1,,\n198.51.100.8,never,\n")
    columns = 'kind = "address"\ncolumns = { value = "ip", valid_until = "until", confidence = "score" }'
    with feeds(tmp_path, partner("csv", "f.csv", columns)) as one:
        assert (one.pull()[0].new, one.values()) == (1, [("address", "198.51.100.9")])
        assert [reason.split()[0] for reason in one.refusals()] == ["address", "'valid_until'"]
        assert next(one.store.told()).claim.confidence == 60


def test_a_plain_list_holds_for_a_while_and_then_no_more(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("# exits\n198.51.100.9\n198.51.100.10  # seen twice\n")
    with feeds(tmp_path, partner("list", "l.txt", 'kind = "address"')) as one:
        assert one.pull()[0].new == 2
        folder = [one.store.folder]
    assert len(read_wanted(folder, NOW).values) == 2
    assert not read_wanted(folder, NOW + 15 * DAY_US).values


def test_a_misp_event_is_read_with_its_organisation_as_origin(tmp_path: Path) -> None:
    attributes = [
        {"uuid": "1", "type": "ip-src", "value": "198.51.100.9"},
        {"uuid": "2", "type": "ip-dst", "value": "198.51.100.0/24"},
        {"uuid": "3", "type": "AS", "value": "AS64500"},
        {"uuid": "4", "type": "text", "value": "not looked for"},
        {"uuid": "5", "type": "ip-src", "value": "0.0.0.0/0"},
        "no object",
    ]
    (tmp_path / "e.json").write_text(json.dumps({"Event": {"Orgc": {"uuid": "o"}, "Attribute": attributes}}))
    with feeds(tmp_path, partner("misp", "e.json")) as one:
        assert (one.pull()[0].new, len(one.refusals())) == (3, 2)
        assert {each.claim.origin for each in one.store.told()} == {"identity--o"}


def test_one_broken_source_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(bundle(indicator()))
    (tmp_path / "c.json").write_bytes(b"\x00 no json")
    settings = partner("stix", "gone.json", name="x") + partner("misp", "c.json", name="y") + partner("stix", "b.json")
    with feeds(tmp_path, settings) as one:
        done = one.pull()
        assert [bool(each.trouble) for each in done] == [True, False, False]
        assert one.values() == [("address", "198.51.100.7")]


def test_only_its_author_and_its_bringer_take_something_back(tmp_path: Path) -> None:
    gone = indicator(revoked=True, modified="2026-01-31T12:00:00.000Z")
    for name, content in (("a", indicator()), ("b", indicator()), ("c", gone)):
        (tmp_path / f"{name}.json").write_bytes(bundle(content))
    north = '[[partner]]\nname = "author"\nreliability = "B"\nidentity = "' + AUTHOR + '"\n[[partner.source]]\n'
    others = partner("stix", "b.json", name="b") + partner("stix", "c.json", name="liar")
    with feeds(tmp_path, north + 'type = "stix"\npath = "a.json"\n' + others) as one:
        one.pull()
        folder = [one.store.folder]
        assert len(read_wanted(folder, NOW).values) == 1
        (tmp_path / "a.json").write_bytes(bundle(gone))
        one.pull()
    assert not read_wanted(folder, NOW).values


def test_a_copy_says_who_was_copied(tmp_path: Path) -> None:
    first, copy = indicator(), indicator(number=2, created_by_ref="identity--0000000b-0000-4000-8000-000000000000")
    link = {
        "type": "relationship", "spec_version": "2.1", "id": "relationship--00000000-0000-4000-8000-000000000009",
        "created": "2026-01-30T00:00:00.000Z", "modified": "2026-01-30T00:00:00.000Z",
        "relationship_type": "derived-from", "source_ref": copy["id"], "target_ref": first["id"],
    }  # fmt: skip
    back = link | {"id": link["id"][:-1] + "8", "source_ref": first["id"], "target_ref": copy["id"]}
    (tmp_path / "a.json").write_bytes(bundle(first))
    (tmp_path / "b.json").write_bytes(bundle(copy, link, back))
    with feeds(tmp_path, partner("stix", "a.json", name="a") + partner("stix", "b.json", name="b")) as one:
        one.pull()
        assert [each.partners for each in read_wanted([one.store.folder], NOW).values] == [1]


def test_allowed_values_and_cleared_accounts_are_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(bundle(indicator()))
    with feeds(tmp_path, partner("stix", "b.json")) as one:
        one.pull()
        (one.store.folder / "allowed.txt").write_text("198.51.100.7\n")
        (one.store.folder / "cleared.txt").write_text("acct-1\n")
        found = read_wanted([one.store.folder], NOW)
    assert (found.values, found.cleared) == ((), frozenset({"acct-1"}))


def test_a_single_bundle_counts_as_from_somebody_unknown(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(bundle(indicator()))
    alone = read_wanted([tmp_path / "b.json"], NOW).values
    with feeds(tmp_path, partner("stix", "b.json")) as one:
        one.pull()
        assert alone[0].bits < read_wanted([one.store.folder], NOW).values[0].bits


def test_a_wrong_setting_is_told_with_its_key(tmp_path: Path) -> None:
    file = tmp_path / "feeds.toml"
    file.write_text('[[partner]]\nname = "n"\n[[partner.source]]\ntype = "taxii"\nurl = "http://far.example/r/"\n')
    with pytest.raises(UsageError, match=r"feeds.toml: partner.0.source.0: .*https://HOST"):
        read_settings(file)
