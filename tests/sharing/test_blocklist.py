"""Blocklists hold addresses and networks that still hold, and nothing that strangers show."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
import yaml

from stillwatch.model import UsageError
from stillwatch.sharing.blocklist import blocklist, entries
from stillwatch.sharing.leaving import decide
from stillwatch.sharing.stix import bundle
from tests.sharing.cases import SECRET, START, case, terms

NOW = START + dt.timedelta(days=10)
LISTED = ["198.51.100.7/32", "2001:db8::17/128"]


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return bundle(decide(case(), terms(), SECRET))


def test_a_network_is_listed_only_where_somebody_is_sure_of_it(told: dict[str, Any]) -> None:
    sure = {"objects": [one | {"confidence": 70} for one in told["objects"] if "ISSUBSET" in one.get("pattern", "")]}
    assert [one.network for one in entries(sure, NOW)] == ["203.0.113.0/24"]
    assert json.loads(blocklist(sure, "crowdsec", NOW))[0]["scope"] == "range"


def test_only_addresses_are_listed_each_with_its_end(told: dict[str, Any]) -> None:
    assert [one.network for one in entries(told, NOW)] == LISTED
    lines = blocklist(told, "nginx", NOW).splitlines()[1:]
    assert [line.split(";")[0] for line in lines] == [f"deny {network}" for network in LISTED]
    assert all("until 2026-03-2" in line for line in lines)


def test_envoy_reads_a_filter_that_denies_them(told: dict[str, Any]) -> None:
    read = yaml.safe_load(blocklist(told, "envoy", NOW))
    rules = read["typed_config"]["rules"]
    assert rules["action"] == "DENY"
    held = [each["remote_ip"] for each in rules["policies"]["stillwatch"]["principals"]]
    assert [f"{each['address_prefix']}/{each['prefix_len']}" for each in held] == LISTED


def test_crowdsec_reads_decisions_that_end_with_the_indicator(told: dict[str, Any]) -> None:
    rows = json.loads(blocklist(told, "crowdsec", NOW))
    assert [row["value"] for row in rows] == ["198.51.100.7", "2001:db8::17"]
    assert [row["scope"] for row in rows] == ["ip", "ip"]
    end = START.replace(minute=0, second=0) + dt.timedelta(days=9 + 14)
    assert {row["duration"] for row in rows} == {f"{int((end - NOW).total_seconds())}s"}


@pytest.mark.parametrize("form", ["nginx", "envoy", "crowdsec"])
def test_what_is_over_revoked_or_weak_is_not_listed(told: dict[str, Any], form: str) -> None:
    late = NOW + dt.timedelta(days=60)
    revoked = {"objects": [one | {"revoked": True} for one in told["objects"]]}
    weak = {"objects": [one | {"confidence": 15} for one in told["objects"]]}
    for text in (blocklist(told, form, late), blocklist(revoked, form, NOW), blocklist(weak, form, NOW)):
        assert "198.51.100" not in text
    assert yaml.safe_load(blocklist(told, "envoy", late))["typed_config"]["rules"]["policies"] == {}


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '0.0.0.0/0']", "[ipv4-addr:value ISSUBSET '0.0.0.0/0']", "[ipv4-addr:value = '10.0.0.1']",
        "[ipv4-addr:value ISSUBSET '1.0.0.0/8']", "[ipv4-addr:value = '1.2.3.4;} server {']",
        "[domain-name:value = 'a']",
    ],
)  # fmt: skip
def test_a_hostile_pattern_blocks_nobody(told: dict[str, Any], pattern: str) -> None:
    one = next(each for each in told["objects"] if each["type"] == "indicator")
    assert entries({"objects": [one | {"pattern": pattern}]}, NOW) == []


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="nginx, envoy, crowdsec"):
        blocklist({"objects": []}, "iptables", NOW)
