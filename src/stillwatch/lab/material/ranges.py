"""Published address ranges: who runs them, where they are, which are rented machines and which are VPN exits."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numba
import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv

from stillwatch.lab.chance import Array


@numba.njit(cache=True, nogil=True)
def _fours(letters, offsets):  # type: ignore[no-untyped-def]
    """IPv4 addresses as numbers, and the length behind a slash or 32."""
    numbers, lengths = np.empty(len(offsets) - 1, np.int64), np.full(len(offsets) - 1, 32, np.int64)
    for row in range(len(offsets) - 1):
        whole = part = 0
        behind = False
        for at in range(offsets[row], offsets[row + 1]):
            letter = letters[at]
            if 48 <= letter <= 57:
                part = part * 10 + letter - 48
            else:
                whole, part = whole * 256 + part, 0
                if letter == 47:
                    behind = True
        numbers[row] = whole if behind else whole * 256 + part
        if behind:
            lengths[row] = part
    return numbers, lengths


def parse_addresses(texts: pa.Array) -> tuple[Array, Array]:
    """Numbers (i64) and prefix lengths (i64) of dotted addresses or blocks."""
    _, offsets, letters = texts.buffers()
    return _fours(np.frombuffer(letters, np.uint8), np.frombuffer(offsets, np.int32)[: len(texts) + 1])


@dataclass(frozen=True)
class Ranges:
    """Ranges of autonomous systems, by first address."""

    first: Array  # i64
    last: Array
    asn: Array
    names: pa.Array  # of systems, by `system`
    system: Array  # i64: which name
    country: Array  # two letters as bytes, of the first address
    rented: Array  # f8: share that lies in published hosting ranges
    vpn: Array  # f8: share that lies in published VPN ranges


@cache
def ranges(folder: Path) -> Ranges:
    """Everything published about IPv4 ranges, joined."""
    table = read_table(folder / "asn-ipv4.csv.gz", "first", "last", "asn", "name")
    first, last = (parse_addresses(table[name].combine_chunks())[0] for name in ("first", "last"))
    names = table["name"].combine_chunks().dictionary_encode()
    rented, vpn = (
        _coverage(first, last, folder / f"{name}_ipv4.txt.gz") / (last - first + 1) for name in ("datacenter", "vpn")
    )
    return Ranges(
        first,
        last,
        table["asn"].to_numpy().astype(np.int64),
        names.dictionary,
        np.asarray(names.indices).astype(np.int64),
        country_of(folder, first),
        rented,
        vpn,
    )


def country_of(folder: Path, addresses: Array) -> Array:
    """The registered country of addresses; "--" where none is known."""
    first, last, code = _countries(folder)
    at = np.maximum(np.searchsorted(first, addresses, side="right") - 1, 0)
    return np.where((addresses >= first[at]) & (addresses <= last[at]), code[at], "--")


@cache
def _countries(folder: Path) -> tuple[Array, Array, Array]:
    table = read_table(folder / "geo-whois-asn-country-ipv4.csv.gz", "first", "last", "country")
    first, last = (parse_addresses(table[name].combine_chunks())[0] for name in ("first", "last"))
    codes = table["country"].combine_chunks().dictionary_encode()
    return first, last, np.array(codes.dictionary.to_pylist(), "U2")[np.asarray(codes.indices)]


@cache
def blocks(path: Path) -> tuple[Array, Array]:
    """First addresses and sizes of the blocks in a list."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = pa.array([line.strip() for line in lines if line.strip() and ":" not in line])
    numbers, lengths = parse_addresses(texts)
    order = np.argsort(numbers, kind="stable")
    return numbers[order], (1 << (32 - lengths))[order]


def _coverage(first: Array, last: Array, path: Path) -> Array:
    """How many addresses of each range lie in listed blocks; blocks within blocks count once."""
    start, size = blocks(path)
    end = np.maximum.accumulate(start + size)
    start = np.maximum(start, np.concatenate([[0], end[:-1]]))
    before = np.concatenate([[0], np.cumsum(np.maximum(end - start, 0))])

    def up_to(address: Array) -> Array:
        at = np.searchsorted(start, address, side="right")
        inside = np.minimum(np.maximum(address - start[at - 1], 0), np.maximum(end - start, 0)[at - 1])
        return np.where(at > 0, before[at - 1] + inside, 0)

    return up_to(last + 1) - up_to(first)


def read_table(path: Path, *names: str) -> pa.Table:
    """A published table without a heading, under these names; all text but `asn`."""
    text = {name: pa.string() for name in names if name != "asn"}
    options = pcsv.ConvertOptions(column_types={**text, "asn": pa.int64()}, strings_can_be_null=False)
    return pcsv.read_csv(path, pcsv.ReadOptions(column_names=list(names)), convert_options=options)
