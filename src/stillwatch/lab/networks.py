"""Addresses as networks hand them out: homes renew a lease, phones share a carrier's pool, offices keep one exit.

An account's route is (network, anchor, bits, spread, lease, salt): within the 2^bits addresses at the anchor it meets
`spread` addresses, one for each lease. The anchor says who shares the block, the salt who shares the address.
"""

from __future__ import annotations

import csv
import ipaddress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache

import numba
import numpy as np
import pyarrow as pa

from stillwatch.lab.chance import Array
from stillwatch.lab.grammar import CORPUS
from stillwatch.lab.kernels import V6, address_letters, mix1
from stillwatch.lab.render import strings

SECOND_BITS, SECOND_SPREAD, SECOND_LEASE = 9, 200, 3 * 3_600_000_000  # of an account's other route: a carrier's pool
OWN_V6 = 0x2A00 << 16  # the prefix under which networks of the corpus get a number of their own


@dataclass(frozen=True)
class Networks:
    """The table of networks, column by column."""

    kinds: tuple[str, ...]
    countries: tuple[str, ...]
    asns: Array
    base: Array  # first IPv4 address, or -1 where the network is IPv6
    bits: Array
    six: Array  # the first 32 bits of the addresses of an IPv6 network
    _found: dict[tuple[str, str | None], Array] = field(default_factory=dict, compare=False, repr=False)

    def of(self, kind: str, country: str | None = None) -> Array:
        """Numbers of the networks of one kind, in a country where it has any."""
        if (kind, country) not in self._found:
            fit = [i for i, k in enumerate(self.kinds) if k == kind]
            local = [i for i in fit if self.countries[i] == country]
            self._found[kind, country] = np.array(local or fit, np.int16)
        return self._found[kind, country]


@cache
def own_networks() -> Networks:
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
        OWN_V6 | (np.arange(len(rows), dtype=np.int64) << 16),
    )


IN_USE: ContextVar[Networks | None] = ContextVar("networks", default=None)


def networks() -> Networks:
    """The networks that traffic is being composed from: the corpus's unless other material is in use."""
    return IN_USE.get() or own_networks()


def addresses(people: Array, account: Array, ts: Array, second: Array) -> tuple[Array, Array]:
    """The address and network of each exchange; where `second` holds, by the account's other route."""
    table = networks()
    names = ("net", "anchor", "bits", "spread", "lease", "salt", "net2", "anchor2")
    routes = tuple(np.ascontiguousarray(people[name]) for name in names)
    return _addresses(account.astype(np.int64, copy=False), ts, second, routes, (table.base, table.bits))


@numba.njit(cache=True, nogil=True)
def _addresses(account, ts, second, routes, table):  # type: ignore[no-untyped-def]
    net, anchor, bits, spread, lease, salt, net2, anchor2 = routes
    ip, by = np.empty(len(account), np.uint64), np.empty(len(account), np.int16)
    for row in range(len(account)):
        who = account[row]
        if second[row]:
            by[row], start, size = net2[who], anchor2[who], np.int64(SECOND_BITS)
            turns, slot = np.uint64(SECOND_SPREAD), ts[row] // SECOND_LEASE
        else:
            by[row], start, size = net[who], anchor[who], np.int64(bits[who])
            turns, slot = np.uint64(spread[who]), ts[row] // lease[who]
        turn = mix1(mix1(salt[who]) ^ mix1(np.uint64(slot))) % turns
        host = mix1(mix1(start ^ np.uint64(5)) ^ mix1(turn))
        ip[row] = _locate(np.int64(by[row]), start, size, host, table)
    return ip, by


@numba.njit(inline="always")
def _locate(net, anchor, bits, host, table):  # type: ignore[no-untyped-def]
    base, room = table
    one = np.uint64(1)
    block = mix1(anchor) & ((one << np.uint64(max(room[net] - bits, 0))) - one)
    if base[net] < 0:
        return V6 | (np.uint64(net) << np.uint64(48)) | (block << np.uint64(24)) | (mix1(host) >> np.uint64(40))
    inside = np.uint64(min(bits, room[net]))
    return np.uint64(base[net]) + ((block << inside) | (mix1(host) & ((one << inside) - one)))


@numba.njit(cache=True, nogil=True)
def _locate_all(net, anchor, bits, host, table):  # type: ignore[no-untyped-def]
    out = np.empty(len(net), np.uint64)
    for row in range(len(net)):
        out[row] = _locate(net[row], anchor[row], bits[row], host[row], table)
    return out


def locate(net: Array, anchor: Array, bits: Array, host: Array) -> Array:
    """Addresses as numbers: the block at the anchor within the network, and a host within the block."""
    table = networks()
    kinds = (np.int64, np.uint64, np.int64, np.uint64)
    given = np.broadcast_arrays(*(np.asarray(part) for part in (net, anchor, bits, host)))
    parts = (np.ascontiguousarray(part).astype(kind) for part, kind in zip(given, kinds, strict=True))
    return _locate_all(*(np.atleast_1d(part) for part in parts), (table.base, table.bits))


def address_text(numbers: Array, table: Networks | None = None) -> pa.Array:
    """Addresses written out, one for each number given."""
    letters, offsets = address_letters(numbers.astype(np.uint64, copy=False), (table or networks()).six)
    return strings(letters, offsets, None)


def host_of_account(people: Array) -> Array:
    """The address from which each account signed up, at its first lease."""
    rows = np.arange(len(people))
    return addresses(people, rows, people["created"], np.zeros(len(people), bool))[0]
