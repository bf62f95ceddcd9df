"""The bundle: valid in the strict reading, the same each time, complete, and true to what is not known."""

from __future__ import annotations

import json
import socket
from collections import Counter
from typing import Any

import pytest

from stillwatch.sharing.atlas import CASE_STUDY
from stillwatch.sharing.case import Kind
from stillwatch.sharing.checking import check
from stillwatch.sharing.extensions import CAPABILITY, EXTENSIONS, STATISTICS, TEMPLATE, TLS, schema
from stillwatch.sharing.ids import observable
from stillwatch.sharing.leaving import decide
from stillwatch.sharing.stix import bundle
from stillwatch.sharing.tlp import Tlp, level_of
from tests.sharing.cases import SECRET, case, hypotheses, shown, terms

pytest.importorskip("stix2validator", reason="needs stix2-validator: pip install 'stillwatch[sharing]'")


def make(level: Tlp = Tlp.AMBER_STRICT, **held: Any) -> dict[str, Any]:
    return bundle(decide(case(**held), terms(level), SECRET))


def of(told: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in told["objects"] if one["type"] == kind]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("level", list(Tlp))
def test_a_bundle_is_valid_in_the_strict_reading_without_a_network(level: Tlp) -> None:
    assert check(json.dumps(make(level))) == []


@pytest.mark.usefixtures("no_network")
def test_a_bundle_without_names_pools_or_indicators_is_valid_too() -> None:
    assert check(json.dumps(make(values=[], who=hypotheses(0, 0), pool_id=None))) == []


def test_the_command_of_the_validator_finds_it_valid_with_no_check_switched_off(tmp_path: Any) -> None:
    from stix2validator import ValidationOptions, validate_file

    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(make()), encoding="utf-8")
    for more in ({}, {"enforce_refs": True, "strict_properties": True}):
        options = ValidationOptions(version="2.1", strict=True, **more)
        result = validate_file(str(path), options)
        assert result.is_valid, [str(error) for each in result.object_results for error in each.errors]


def test_the_same_decision_gives_the_same_bytes_and_another_run_the_same_ids() -> None:
    first, again, grown = make(), make(), make(exchanges=9_000, p=0.9)
    assert json.dumps(first) == json.dumps(again)
    assert first["id"] != grown["id"]
    assert {one["id"] for one in first["objects"]} == {one["id"] for one in grown["objects"]}


def test_ids_are_unique_and_those_of_another_level_are_others() -> None:
    one, other = make(), make(Tlp.AMBER)
    assert max(Counter(each["id"] for each in one["objects"]).values()) == 1
    ours = {each["id"] for each in one["objects"] if level_of(each) is Tlp.AMBER_STRICT and "created" in each}
    kept = ours & {each["id"] for each in other["objects"]}
    assert not kept


def test_standard_observables_have_the_ids_that_the_stix_library_gives_them() -> None:
    import stix2

    assert observable("ipv4-addr", {"value": "198.51.100.7"}) == stix2.IPv4Address(value="198.51.100.7").id
    assert observable("autonomous-system", {"number": 64500}) == stix2.AutonomousSystem(number=64500).id
    for one in of(make(), "network-traffic"):
        held = {key: value for key, value in one.items() if key not in ("type", "spec_version", "id")}
        assert stix2.NetworkTraffic(**held, allow_custom=True).id == one["id"]


def test_the_stix_library_reads_every_object_back_as_it_is() -> None:
    import stix2

    for one in make()["objects"]:
        read = stix2.parse(json.dumps(one), allow_custom=True)
        back = json.loads(read.serialize()) if hasattr(read, "serialize") else read
        assert {key: value for key, value in back.items() if key != "revoked"} == one


def test_every_pattern_parses_and_finds_what_the_bundle_observed() -> None:
    from stix2matcher.matcher import match
    from stix2patterns.v21.pattern import Pattern

    told = make()
    by_id = {one["id"]: one for one in told["objects"]}
    assert len(of(told, "indicator")) == 10
    for one in of(told, "indicator"):
        Pattern(one["pattern"])
        base = next(each for each in of(told, "relationship")
                    if each["source_ref"] == one["id"] and each["relationship_type"] == "based-on")  # fmt: skip
        observed = by_id[base["target_ref"]]
        seen = {
            "type": "bundle",
            "id": told["id"],
            "objects": [observed, *(by_id[ref] for ref in observed["object_refs"])],
        }
        assert match(one["pattern"], [seen], stix_version="2.1"), one["pattern"]
        others = [each for each in of(told, "observed-data") if each["id"] != observed["id"]]
        rest = [{**seen, "objects": [each, *(by_id[ref] for ref in each["object_refs"])]} for each in others]
        assert not match(one["pattern"], rest, stix_version="2.1"), one["pattern"]


def test_every_indicator_ends_and_every_object_says_how_far_it_may_go() -> None:
    for one in make()["objects"]:
        if one["type"] == "indicator":
            assert one["valid_from"] < one["valid_until"]
        if one["type"] not in ("marking-definition", "extension-definition", "identity"):
            assert level_of(one) in (Tlp.CLEAR, Tlp.AMBER_STRICT)


def test_pool_and_workload_are_attributed_apart() -> None:
    told = make()
    campaign, pool, runs, ordered = (of(told, kind)[0] for kind in
                                     ("campaign", "infrastructure", "intrusion-set", "threat-actor"))  # fmt: skip
    links = {(one["source_ref"], one["relationship_type"], one["target_ref"]): one for one in of(told, "relationship")}
    assert links[runs["id"], "owns", pool["id"]]["confidence"] == 50
    assert links[campaign["id"], "attributed-to", ordered["id"]]["confidence"] == 70
    assert (campaign["id"], "attributed-to", runs["id"]) not in links
    assert ordered["name"] == "GREY HERON"
    assert {one["object_refs"][0] for one in of(told, "opinion")} >= {campaign["id"]}


def test_unknown_is_a_note_and_never_an_actor() -> None:
    told = make(who=hypotheses(0, 0))
    assert not of(told, "intrusion-set")
    assert not of(told, "threat-actor")
    assert sum("unknown" in one["abstract"] for one in of(told, "note")) == 2


def test_techniques_of_the_chain_are_said_by_their_atlas_ids() -> None:
    told = make()
    named = {ref["external_id"] for one in of(told, "attack-pattern") for ref in one["external_references"]}
    assert named == {"AML.T0008.005", "AML.T0021", "AML.T0065", "AML.T0040", "AML.T0024.002", "AML.T0048.004"}
    assert of(told, "report")[0]["external_references"][0]["external_id"] == CASE_STUDY
    mitigated = {one["target_ref"] for one in of(told, "relationship") if one["relationship_type"] == "mitigates"}
    assert len(mitigated) == 4


def spoil(extension: str, carrier: dict[str, Any]) -> dict[str, Any]:
    if extension == TLS:
        own = {"extension_type": "property-extension", "ja4": "not a fingerprint"}
        return carrier | {"extensions": {TLS: own}}
    if extension == TEMPLATE:
        return carrier | {"sketch": "summarise the following text"}
    if extension == CAPABILITY:
        return carrier | {"name": "world domination"}
    more = carrier["extensions"][extension] | {"note": "text that no schema lists"}
    return carrier | {"extensions": {**carrier["extensions"], extension: more}}


@pytest.mark.parametrize("extension", sorted(EXTENSIONS))
def test_each_schema_refuses_what_it_does_not_list(extension: str) -> None:
    assert schema(extension)["title"] == EXTENSIONS[extension].name
    told = make()
    carrier = next(one for one in told["objects"] if extension in one.get("extensions", {}))
    good, bad = ({one.problem for one in check(json.dumps(told | {"objects": [each]}))}
                 for each in (carrier, spoil(extension, carrier)))  # fmt: skip
    assert bad - good


def test_a_bundle_that_lacks_an_end_a_marking_or_a_target_is_refused() -> None:
    small: dict[str, Any] = {"values": [shown(Kind.ADDRESS, "198.51.100.7")], "members": (), "who": ()}
    for field, kind, words in (
        ("valid_until", "indicator", "never stops accusing"),
        ("object_marking_refs", "campaign", "no TLP 2.0 marking"),
    ):
        told = make(**small)
        del of(told, kind)[0][field]
        assert any(words in one.problem for one in check(json.dumps(told)))
    told = make(**small)
    told["objects"] = [one for one in told["objects"] if one["type"] != "infrastructure"]
    assert check(json.dumps(told))


def test_statistics_are_rounded_and_name_models_by_public_names_alone() -> None:
    held = of(make(), "campaign")[0]["extensions"][STATISTICS]
    assert held["accounts_at_least"] == 80
    assert held["models"] == ["Opal 4"]
    assert held["capabilities"] == {"coding": 70, "grading": 30}
