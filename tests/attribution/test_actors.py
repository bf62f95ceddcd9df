"""The file of known actors is read as it stands, or refused by file, actor and field; origins are never a trait."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from stillwatch.attribution.actors import KINDS, OWNER, POOL, read_actors
from stillwatch.model import Grade, InputRefused

GOOD = """
[[actor]]
id = "pool-7"
role = "pool-operator"

[[actor.trait]]
kind = "prefix"
values = ["198.18.4.0/24", "2001:db8:7::/48"]
grade = "observed"
source = "case 12"

[[actor]]
id = "owner-3"
name = "Owner three"
role = "workload-owner"

[[actor.trait]]
kind = "launch"
values = [2026-03-10]
grade = "reported"
source = "press"
within_days = 5
valid_from = 2026-01-01
valid_until = 2026-06-30
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "actors.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputRefused) as refused:
        read_actors(write(tmp_path, text))
    return str(refused.value)


def trait(kind: str, values: str, role: str = POOL, more: str = "") -> str:
    return (
        f'[[actor]]\nid = "x"\nrole = "{role}"\n[[actor.trait]]\nkind = "{kind}"\nvalues = {values}\n'
        f'grade = "observed"\nsource = "s"\n{more}\n'
    )


def test_reads_actors_with_their_traits(tmp_path):
    pool, owner = read_actors(write(tmp_path, GOOD))
    assert (pool.name, pool.role, pool.traits[0].values) == ("pool-7", POOL, ("198.18.4.", "2001:db8:7:"))
    assert (owner.name, owner.role, owner.traits[0].grade) == ("Owner three", OWNER, Grade.REPORTED)
    assert (owner.traits[0].values, owner.traits[0].within_days) == ((dt.date(2026, 3, 10),), 5)


def test_a_trait_holds_within_its_dates_only(tmp_path):
    _, owner = read_actors(write(tmp_path, GOOD))
    day = dt.date
    assert owner.traits[0].valid(day(2026, 6, 30), day(2026, 7, 9))
    assert not owner.traits[0].valid(day(2026, 7, 1), day(2026, 7, 9))
    assert not owner.traits[0].valid(day(2025, 7, 1), day(2025, 12, 31))


@pytest.mark.parametrize("word", ["nationality", "country", "language", "timezone", "region", "Citizenship"])
def test_where_people_are_from_and_what_they_speak_is_refused_with_the_reason(tmp_path, word):
    as_kind = trait(word, '["xx"]')
    as_field = f'[[actor]]\nid = "x"\nrole = "pool-operator"\n{word} = "xx"\n'
    for text in (as_kind, as_field):
        told = refusal(tmp_path, text)
        assert "actors.toml: actor 'x'" in told
        assert word.lower() in told.lower()
        assert "not evidence" in told
        assert "docs/why/020" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[actor]", ["is not TOML"]),
        ('[[actor]]\nid = "x"\nrole = "boss"\n', ["actor 'x'", "role", "pool-operator"]),
        ('[[actor]]\nrole = "pool-operator"\n', ["actor number 1", "id"]),
        (trait("shoe-size", "[44]"), ["actor 'x': trait 1: kind", "asn"]),
        (trait("asn", '["AS64500"]'), ["trait 1 (asn)", "number 1", "such as 64500"]),
        (trait("asn", "[]"), ["trait 1", "values"]),
        (trait("prefix", '["198.18.0.0/20"]'), ["prefix", "/24"]),
        (trait("prefix", '["2001:db8::/32"]'), []),
        (trait("address", '["300.1.1.1"]'), ["address", "IPv6"]),
        (trait("mail-domain", '["a@b.example"]'), ["mail-domain", "mail.example"]),
        (trait("tool", '["search"]'), ["says something of a workload-owner", "actor of its own"]),
        (trait("active-hours", "[1, 2]", OWNER), ["are 2", "24 numbers"]),
        (trait("active-weekdays", "[8]", OWNER), ["7 for Sunday"]),
        (trait("silent-days", '["2026-01-01"]', OWNER), ["a date without quotes"]),
        (trait("asn", "[1]", more="weight = 9"), ["weight"]),
        (trait("asn", "[1]", more="valid_from = 2026-02-01\nvalid_until = 2026-01-01"), ["valid_until", "before"]),
        (trait("asn", "[1]") + trait("asn", "[2]"), ["id", "is taken"]),
        (trait("asn", "[1]").replace('"x"', '"unknown"'), ["id", "is taken"]),
    ],
)
def test_what_cannot_be_used_is_refused_by_actor_and_field(tmp_path, text, words):
    if not words:
        assert read_actors(write(tmp_path, text))
        return
    told = refusal(tmp_path, text)
    assert "actors.toml" in told
    for word in words:
        assert word in told


def test_an_error_never_repeats_a_value(tmp_path):
    assert "secret words" not in refusal(tmp_path, trait("persona", '["secret words", 3]', OWNER))
    assert "secret words" not in refusal(tmp_path, trait("persona", '"secret words"', OWNER))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputRefused, match=r"none\.toml: cannot be read"):
        read_actors(tmp_path / "none.toml")


def test_no_kind_of_trait_is_about_origins():
    assert not {"country", "language", "nationality", "timezone", "region"} & KINDS.keys()
    assert {role for kind in KINDS.values() for role in kind.roles} == {POOL, OWNER}
