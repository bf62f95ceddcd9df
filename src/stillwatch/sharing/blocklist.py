"""Infrastructure indicators of a bundle as a blocklist for nginx, Envoy or CrowdSec, each with its end beside it.

A bundle has been through the gate, so what it holds may leave. Only single addresses and networks are listed: a client
or a system that strangers have too would block them.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stillwatch.model import UsageError
from stillwatch.sharing.case import Kind
from stillwatch.sharing.grammar import well_formed
from stillwatch.sharing.patterns import read_pattern

LISTED = (Kind.ADDRESS, Kind.PREFIX)
BLOCKS_FROM = 50  # STIX confidence; below it, as networks of our own exports are, an indicator is a hint for people


@dataclass(frozen=True, slots=True)
class Entry:
    """One network to block, until when, and by which indicator."""

    network: str
    until: dt.datetime
    indicator: str


def entries(told: Mapping[str, Any], now: dt.datetime) -> list[Entry]:
    """Return what a bundle says to block at a moment, in order; expired, revoked and weak indicators are left out."""
    found: dict[str, Entry] = {}
    for one in _indicators(told):
        until = one.get("valid_until")
        read = read_pattern(str(one.get("pattern", "")))
        if until is None or read is None or read[0] not in LISTED or one.get("confidence", 0) < BLOCKS_FROM:
            continue
        value, end = well_formed(*read), _moment(str(until))
        if value is None or end <= now or _moment(str(one["valid_from"])) > now:
            continue
        network = str(ipaddress.ip_network(value))
        if network not in found or found[network].until < end:
            found[network] = Entry(network, end, str(one["id"]))
    return sorted(found.values(), key=lambda each: (":" in each.network, ipaddress.ip_network(each.network)))


def _indicators(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for one in told.get("objects", ()):
        if one.get("type") == "indicator" and one.get("pattern_type") == "stix" and not one.get("revoked"):
            yield one


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def _nginx(listed: list[Entry], _now: dt.datetime) -> str:
    lines = [f"deny {one.network};  # until {one.until:%Y-%m-%dT%H:%MZ}, {one.indicator}" for one in listed]
    return "\n".join(
        ["# include in http, server or location; nginx does not expire: write the list anew daily", *lines]
    )


def _envoy(listed: list[Entry], _now: dt.datetime) -> str:
    """An HTTP filter of Envoy's, as YAML: role-based access control that denies these addresses."""
    head = [
        "# an entry of http_filters, before the router; Envoy does not expire: write the list anew daily",
        "name: envoy.filters.http.rbac",
        "typed_config:",
        '  "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
        "  rules:",
        "    action: DENY",
    ]
    if not listed:
        return "\n".join([*head, "    policies: {}"])
    lines = []
    for one in listed:
        address, _, bits = one.network.partition("/")
        lines += [
            f"          # until {one.until:%Y-%m-%dT%H:%MZ}, {one.indicator}",
            f'          - remote_ip: {{address_prefix: "{address}", prefix_len: {bits}}}',
        ]
    policy = [
        "    policies:",
        "      stillwatch:",
        "        permissions:",
        "          - any: true",
        "        principals:",
    ]
    return "\n".join([*head, *policy, *lines])


def _crowdsec(listed: list[Entry], now: dt.datetime) -> str:
    """What `cscli decisions import` reads; CrowdSec itself lets a decision go when its duration is over."""
    rows = []
    for one in listed:
        network = ipaddress.ip_network(one.network)
        single = network.num_addresses == 1
        rows.append(
            {
                "duration": f"{int((one.until - now).total_seconds())}s",
                "reason": f"stillwatch: until {one.until:%Y-%m-%dT%H:%MZ}, {one.indicator}",
                "scope": "ip" if single else "range",
                "type": "ban",
                "value": str(network.network_address) if single else one.network,
            }
        )
    return json.dumps(rows, indent=2)


FORMATS: Mapping[str, Callable[[list[Entry], dt.datetime], str]] = {
    "nginx": _nginx,
    "envoy": _envoy,
    "crowdsec": _crowdsec,
}


def blocklist(told: Mapping[str, Any], form: str, now: dt.datetime) -> str:
    """Return the blocklist of a bundle at a moment. Raises UsageError for a form that there is not."""
    if form not in FORMATS:
        raise UsageError(f"--format {form}: say one of {', '.join(FORMATS)}")
    return FORMATS[form](entries(told, now), now) + "\n"
