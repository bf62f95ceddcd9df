"""A MISP event has what MISP has words for, the bundle attached, and a list of all the rest."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from stillwatch.sharing.approval import write_bundle
from stillwatch.sharing.leaving import decide
from stillwatch.sharing.misp import CARRIED, flatten
from stillwatch.sharing.stix import bundle
from tests.sharing.cases import JA4, SECRET, case, terms

pytest.importorskip("pymisp", reason="needs pymisp: pip install 'stillwatch[sharing]'")


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return bundle(decide(case(), terms(), SECRET))


def test_every_indicator_becomes_an_attribute_and_the_bundle_is_attached(told: dict[str, Any]) -> None:
    text = write_bundle(told)
    event, losses = flatten(told, text)
    held = event["Event"]["Attribute"]
    values = {one["value"] for one in held}
    assert {"198.51.100.7", "203.0.113.0/24", "AS64500", JA4, "mailbox.example"} <= values
    assert len([one for one in held if "until" in one["comment"]]) == 10
    attached = next(one for one in held if one["type"] == "attachment")
    assert base64.b64decode(attached["data"]).decode() == text
    assert losses.attributes == len(held)
    assert {tag["name"] for tag in event["Event"]["Tag"]} == {"tlp:amber+strict"}


def test_machines_may_act_on_addresses_and_networks_alone(told: dict[str, Any]) -> None:
    event, _ = flatten(told, "{}")
    acts = {one["value"] for one in event["Event"]["Attribute"] if one["to_ids"]}
    assert acts == {"198.51.100.7", "2001:db8::17", "203.0.113.0/24"}


def test_every_object_and_property_is_carried_or_listed_as_lost(told: dict[str, Any]) -> None:
    _, losses = flatten(told, "{}")
    lost = set(losses.lost)
    for one in told["objects"]:
        for name in one:
            assert ((one["id"], name) in lost) != (name in CARRIED.get(one["type"], ()))
    listed = "\n".join(losses.lines())
    assert all(one["id"] in listed for one in told["objects"])
    relationship = next(one["id"] for one in told["objects"] if one["type"] == "relationship")
    assert f"{relationship}: all of it" in listed


def test_the_same_bundle_gives_the_same_event(told: dict[str, Any]) -> None:
    one, other = (json.dumps(flatten(told, "{}")[0]) for _ in range(2))
    assert one == other


def test_an_indicator_that_cannot_be_flattened_is_lost_and_said_so(told: dict[str, Any]) -> None:
    odd = {"type": "indicator", "id": "indicator--0f1e7b54-3a3a-4c6f-9d0c-5a8f6b7c8d9e", "pattern_type": "stix",
           "pattern": "[ipv4-addr:value = '198.51.100.9'] REPEATS 5 TIMES"}  # fmt: skip
    _, losses = flatten({**told, "objects": [odd]}, "{}")
    assert f"{odd['id']}: all of it" in "\n".join(losses.lines())
