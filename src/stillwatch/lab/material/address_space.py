"""Networks of the lab from published ranges: a kind for each autonomous system, half of the systems for each split.

The kind follows from measured facts where there are any (hosting and VPN ranges), else from what the operator is
called; where neither says more, it serves offices.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lab.chance import Array, mix
from stillwatch.lab.material.ranges import Ranges, ranges, read_table
from stillwatch.lab.networks import Networks, own_networks

_CAMPUS = r"universi|college|polytechni|institute of technology|forschungsnetz|academic|\bjanet\b|renater"
_MOBILE = r"mobile|mobil\b|wireless|cellular|cellco|docomo|rakuten m|\bjio\b|airtel|movil|\btim s"
_ACCESS = (
    r"tel[eé]?[ck]om|telef|telek|cable|broadband|communicat|internet|comcast|charter|at&t|verizon|frontier|\bcox\b"
    r"|vodafone|orange|free sas|virgin|\bsky\b|\bbt\b|british t|kddi|softbank|\bntt|biglobe|chinanet|unicom|backbone"
    r"|hinet|singnet|starhub|bell|rogers|shaw|telstra|optus|tpg|kpn|ziggo|claro|vivo|megacable|telmex|bsnl|netia|upc"
)
_NEITHER = (
    r"defen[cs]e|\bdod\b|usaisc|army|navy|air force|nasa|government|ministry|administration|bank|insurance|hospital"
    r"|apple|google|amazon|microsoft|facebook|akamai|cloud|hosting|server|data ?cent|colo|\bcdn\b|alibaba|tencent|byte"
)
_RUNNERS = r"microsoft|github"
_CALLED = {"campus": _CAMPUS, "mobile": _MOBILE, "access": _ACCESS, "neither": _NEITHER, "ci": _RUNNERS}
KINDS = ("home", "mobile", "office", "campus", "cloud", "vpn", "ci")
_SMALLEST = {"home": 14, "mobile": 13, "office": 10, "campus": 12, "cloud": 12, "vpn": 5, "ci": 12}  # bits of a block
_LARGEST = 22  # bits: what a provider hands out in one region
_SYSTEMS = {"home": 10, "mobile": 5, "office": 40, "campus": 12, "cloud": 12, "vpn": 12, "ci": 4}  # a country, a split
_INSTEAD = {"home": "mobile", "mobile": "home", "office": "home", "ci": "cloud"}  # where a country has none in a split
_AS_SIX = 3  # times a provider with IPv6 stands in the table with it, beside its IPv4 blocks
_BLOCKS = 6  # of one system in one country


@cache
def published_networks(folder: Path, split: str) -> Networks:
    """The networks of one split; no system is in both."""
    table = ranges(folder)
    kind = _kinds(table)
    rows: list[tuple[str, str, int, int, int]] = []
    for code in sorted(set(own_networks().countries)):
        here = np.flatnonzero(table.country == code)
        found = {
            name: _of_kind(table, here[kind[here] == KINDS.index(name)], name, number, split)
            for name, number in _SYSTEMS.items()
        }
        for name, instead in _INSTEAD.items():  # many carriers serve homes and phones from one system
            found[name] = found[name] or found[instead][:_BLOCKS]
        rows += [(name, code, *block) for name, blocks in found.items() for block in blocks]
    base, bits = (np.array([row[at] for row in rows], np.int64) for at in (3, 4))
    asns = np.array([row[2] for row in rows], np.int64)
    lines = sorted({row[:3] for row in rows if row[0] in {"home", "mobile"}})
    six = _sixes(folder, {asn for _, _, asn in lines})
    extra = [(*line, six[line[2]]) for line in lines if line[2] in six for _ in range(_AS_SIX)]
    return Networks(
        tuple(row[0] for row in rows) + tuple(row[0] for row in extra),
        tuple(row[1] for row in rows) + tuple(row[1] for row in extra),
        np.concatenate([asns, np.array([row[2] for row in extra], np.int64)]),
        np.concatenate([base, np.full(len(extra), -1)]),
        np.concatenate([bits, np.full(len(extra), 24)]),
        np.concatenate([np.zeros(len(rows), np.int64), np.array([row[3] for row in extra], np.int64)]),
    )


def _kinds(table: Ranges) -> Array:
    """The kind of each range, by facts about the range first; i1, -1 where it is of none."""
    named = {
        kind: np.asarray(pc.match_substring_regex(table.names, form, ignore_case=True))[table.system]
        for kind, form in _CALLED.items()
    }
    _, place = np.unique(table.asn, return_inverse=True)
    large = named["access"] & (np.bincount(place, table.last - table.first + 1)[place] >= 1 << 17)
    conditions = [
        table.vpn > 0.6,
        named["ci"] & (table.rented > 0.5),
        table.rented > 0.6,
        (table.rented > 0.05) | (table.vpn > 0.05),
        named["campus"],
        named["neither"],
        named["mobile"],
        large,
    ]
    kinds = [KINDS.index("vpn"), KINDS.index("ci"), KINDS.index("cloud"), -1, KINDS.index("campus"), -1]
    return np.select(conditions, [*kinds, KINDS.index("mobile"), KINDS.index("home")], KINDS.index("office"))


def _of_kind(table: Ranges, here: Array, kind: str, number: int, split: str) -> list[tuple[int, int, int]]:
    """(asn, first address, bits) of the largest blocks of the largest systems among these ranges, those of a split."""
    base, bits = _aligned(table.first[here], table.last[here])
    fit = bits >= _SMALLEST[kind]
    asn, base, bits = table.asn[here][fit], base[fit], bits[fit]
    systems, place = np.unique(asn, return_inverse=True)
    order = np.argsort(-np.bincount(place, 2.0**bits), kind="stable")
    ours = systems[order][_dealt(systems[order], split)][:number]
    found = []
    for system in ours:
        its = np.flatnonzero(asn == system)
        for at in its[np.argsort(-bits[its], kind="stable")][:_BLOCKS]:
            found.append((int(system), int(base[at]), int(min(bits[at], _LARGEST))))
    return found


def _dealt(asn: Array, split: str) -> Array:
    """Which systems a split gets: by number, so that a system in many countries is in one split everywhere."""
    return (mix(asn) >> np.uint64(33)) % np.uint64(2) == (split == "report")


def _aligned(first: Array, last: Array) -> tuple[Array, Array]:
    """The largest block of a power of two within each range: where it begins, and its bits."""
    bits = np.floor(np.log2(last - first + 1)).astype(np.int64)
    begin = (first + (1 << bits) - 1) >> bits << bits
    over = begin + (1 << bits) - 1 > last
    bits = np.where(over, np.maximum(bits - 1, 0), bits)
    return (first + (1 << bits) - 1) >> bits << bits, bits


def _sixes(folder: Path, systems: set[int]) -> dict[int, int]:
    """The first 32 bits of an IPv6 allotment of each system that has one of its own."""
    table = read_table(folder / "asn-ipv6.csv.gz", "first", "last", "asn", "name")
    table = table.filter(pc.is_in(table["asn"], pa.array(sorted(systems))))
    found: dict[int, int] = {}
    for first, last, asn in zip(*(table[name].to_pylist() for name in ("first", "last", "asn")), strict=True):
        groups = first.removesuffix("::").split(":")
        if len(groups) == 2 and last.split(":")[2:3] == ["ffff"] and int(groups[1], 16):
            found.setdefault(asn, int(groups[0], 16) << 16 | int(groups[1], 16))
    return found
