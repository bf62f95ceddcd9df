"""An object is stored when it has what the server needs of it, and refused with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stillwatch.sharing.taxii.checks import NO_VERSION, Fault, Posted, check
from stillwatch.sharing.taxii.envelope import Piece
from stillwatch.sharing.taxii.markings import MARKINGS, Tlp
from stillwatch.sharing.taxii.required import OBSERVABLES, VERSIONED
from tests.sharing.taxii.made import MARKS, relation, stix


def checked(content: Any) -> Posted:
    return check(Piece(json.dumps(content).encode(), content, None), Tlp.AMBER)


def test_reads_what_the_server_needs_of_an_indicator() -> None:
    indicator = stix(number=7, day=3, mark="green")
    posted = checked(indicator)
    assert (posted.object_id, posted.type, posted.spec_version) == (indicator["id"], "indicator", "2.1")
    assert posted.version_text == "2026-01-03T00:00:00.000Z"
    assert posted.tlp is Tlp.GREEN
    assert posted.names == ()


def test_the_version_is_modified_else_created_else_one_for_all() -> None:
    marking = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": MARKS["amber"],
        "created": "2022-10-01T00:00:00Z",
    }
    address = {"type": "ipv4-addr", "id": stix("ipv4-addr")["id"], "value": "192.0.2.1"}
    assert checked(marking).version_text == "2022-10-01T00:00:00Z"
    assert checked(address).version_text == NO_VERSION
    assert checked(address).version == 0
    assert checked(address).spec_version == "2.1"


def test_an_object_of_stix_2_0_has_no_spec_version() -> None:
    old = stix("campaign")
    del old["spec_version"]
    assert checked(old).spec_version == "2.0"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "'id' is missing"),
        ({"id": "indicator--1"}, "not TYPE--UUID"),
        ({"id": stix()["id"].upper()}, "not TYPE--UUID"),
        ({"id": "x" * 100_000}, "'id' is missing or no string"),
        ({"type": "malware"}, "not the one in 'id'"),
        ({"spec_version": "3.0"}, "neither 2.0 nor 2.1"),
        ({"created": None}, "'created' is not a timestamp"),
        ({"modified": "yesterday"}, "'modified' is not a timestamp"),
        ({"modified": "2026-02-30T00:00:00Z"}, "'modified' is not a timestamp"),
        ({"modified": "2026-01-01T00:00:00+01:00"}, "'modified' is not a timestamp"),
        ({"valid_from": 3}, "'valid_from' is not a timestamp"),
        ({"valid_until": "soon"}, "'valid_until' is not a timestamp"),
        ({"pattern": ""}, "'pattern' is missing"),
        ({"pattern": ["[a:b = 1]"]}, "'pattern' is no string"),
        ({"pattern_type": None}, "'pattern_type' is missing"),
        ({"object_marking_refs": "red"}, "no list of identifiers"),
        ({"object_marking_refs": [{"a": 1}]}, "no list of identifiers"),
        ({"granular_markings": [1]}, "no list of objects"),
        ({"granular_markings": [{"marking_ref": {}}]}, "no identifier"),
        ({"created_by_ref": "me"}, "no identifier"),
        ({"x_refs": [["a"]]}, "no identifier"),
    ],
)
def test_says_what_is_wrong(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Fault, match=reason):
        checked(stix() | change)


@pytest.mark.parametrize("content", [None, 1, "indicator", [], True])
def test_refuses_what_is_no_object(content: Any) -> None:
    with pytest.raises(Fault, match="no JSON object"):
        checked(content)


def test_refuses_a_bundle_inside_an_envelope() -> None:
    with pytest.raises(Fault, match="it is a bundle"):
        checked(stix("bundle"))


@pytest.mark.parametrize("name", ["created", "modified"])
def test_refuses_an_object_without_a_version_where_its_type_has_one(name: str) -> None:
    found = stix("campaign")
    del found[name]
    with pytest.raises(Fault, match=f"'{name}' is missing"):
        checked(found)


@pytest.mark.parametrize(("kind", "needs"), sorted({**VERSIONED, **OBSERVABLES}.items()))
def test_each_type_needs_what_the_standard_says(kind: str, needs: tuple[str, ...]) -> None:
    for name in needs:
        found = stix(kind) | dict.fromkeys(needs, "x")
        del found[name]
        with pytest.raises(Fault):
            checked(found)


def test_refuses_what_refers_to_itself() -> None:
    campaign, note = stix("campaign"), stix("note", content="x")
    with pytest.raises(Fault, match="refers to the object itself"):
        checked(note | {"object_refs": [campaign["id"], note["id"]]})
    with pytest.raises(Fault, match="refers to another relation"):
        checked(relation(campaign, relation(campaign, campaign)))
    marking = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": MARKS["red"],
        "created": "2022-10-01T00:00:00Z",
    }
    with pytest.raises(Fault, match="marks itself"):
        checked(marking | {"object_marking_refs": [MARKS["red"]]})
    identity = stix("identity")
    assert checked(identity | {"created_by_ref": identity["id"]}).names == ()


def test_names_every_object_that_is_referred_to_but_its_author_and_markings() -> None:
    one, other = stix("campaign"), stix("malware")
    found = relation(one, other, created_by_ref=stix("identity")["id"], mark="red")
    assert checked(found).names == (one["id"], other["id"])


def test_the_strictest_marking_on_any_part_counts_for_the_whole() -> None:
    assert checked(stix()).tlp is Tlp.AMBER  # what the collection says of what is unmarked
    assert checked(stix(object_marking_refs=[MARKS["clear"], MARKS["green"]])).tlp is Tlp.GREEN
    part = [{"marking_ref": MARKS["red"], "selectors": ["description"]}]
    assert checked(stix(mark="green", granular_markings=part)).tlp is Tlp.RED
    statement = "marking-definition--00000000-0000-4000-8000-000000000001"
    assert checked(stix(object_marking_refs=[statement])).tlp is Tlp.AMBER


def test_every_level_has_its_marking() -> None:
    assert set(MARKINGS.values()) == set(Tlp)
