"""Addresses as networks hand them out: homes renew a lease, phones share a carrier's pool, offices keep one exit.

An account's route is (network, anchor, bits, spread, lease, salt): within the 2^bits addresses at the anchor it meets
`spread` addresses, one for each lease. The anchor says who shares the block, the salt who shares the address.
"""

from __future__ import annotations

import csv
import ipaddress
from dataclasses import dataclass
from functools import cache

import numpy as np

from stillwatch.lab.chance import Array, below, mix, stir
from stillwatch.lab.grammar import CORPUS

V6 = np.uint64(1 << 63)


@dataclass(frozen=True)
class Networks:
    """The table of networks, column by column."""

    kinds: tuple[str, ...]
    countries: tuple[str, ...]
    asns: Array
    base: Array  # first IPv4 address, or -1 where the network is IPv6
    bits: Array

    def of(self, kind: str, country: str | None = None) -> Array:
        """Numbers of the networks of one kind, in a country where it has any."""
        fit = [i for i, k in enumerate(self.kinds) if k == kind]
        local = [i for i in fit if self.countries[i] == country]
        return np.array(local or fit, np.int16)


@cache
def networks() -> Networks:
    """The networks of the corpus."""
    with (CORPUS / "networks.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    base = [-1 if row["block"] == "v6" else int(ipaddress.IPv4Address(row["block"])) for row in rows]
    return Networks(
        tuple(row["kind"] for row in rows),
        tuple(row["country"] for row in rows),
        np.array([int(row["asn"]) for row in rows], np.int64),
        np.array(base, np.int64),
        np.array([int(row["bits"]) for row in rows], np.int64),
    )


def addresses(people: Array, account: Array, ts: Array, second: Array) -> tuple[Array, Array]:
    """The address and network of each exchange; where `second` holds, by the account's other route."""
    who = people[account]
    net = np.where(second, who["net2"], who["net"]).astype(np.int64)
    anchor = np.where(second, who["anchor2"], who["anchor"])
    bits = np.where(second, 9, who["bits"]).astype(np.int64)
    spread = np.where(second, 200, who["spread"])
    lease = np.where(second, 3 * 3_600_000_000, who["lease"])
    turn = below(stir(who["salt"], (ts // lease).astype(np.uint64)), spread)
    return locate(net, anchor, bits, stir(anchor ^ np.uint64(5), turn)), net.astype(np.int16)


def locate(net: Array, anchor: Array, bits: Array, host: Array) -> Array:
    """Addresses as numbers: the block at the anchor within the network, and a host within the block."""
    table = networks()
    room = np.maximum(table.bits[net] - bits, 0).astype(np.uint64)
    block = mix(anchor) & ((np.uint64(1) << room) - np.uint64(1))
    inside = np.minimum(bits, table.bits[net]).astype(np.uint64)
    offset = (block << inside) | (mix(host) & ((np.uint64(1) << inside) - np.uint64(1)))
    v6 = V6 | (net.astype(np.uint64) << np.uint64(48)) | (block << np.uint64(24)) | (mix(host) >> np.uint64(40))
    return np.where(table.base[net] < 0, v6, table.base[net].astype(np.uint64) + offset)


def address_text(numbers: Array) -> list[str]:
    """Addresses written out, one for each distinct number given."""
    return [_six(int(number)) if number >= V6 else _four(int(number)) for number in numbers]


def _four(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _six(number: int) -> str:
    net, site, host = number >> 48 & 0x7FFF, number >> 24 & 0xFFFFFF, int(mix(number)[0])
    groups = (0x2A00 | net, site >> 8, (site & 255) << 8, 0)
    tail = ":".join(f"{host >> shift & 0xFFFF:x}" for shift in (48, 32, 16, 0))
    return str(ipaddress.IPv6Address(":".join(f"{group:x}" for group in groups) + ":" + tail))


def host_of_account(people: Array) -> Array:
    """The address from which each account signed up, at its first lease."""
    rows = np.arange(len(people))
    return addresses(people, rows, people["created"], np.zeros(len(people), bool))[0]
