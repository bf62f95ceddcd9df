"""Address ranges and what they say: a system, a country, or only that an address is on a list; all in one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.ingest import addressing
from stillwatch.ingest import stretches as kernels

Halves = npt.NDArray[np.uint64]
Said = npt.NDArray[np.int64]
COUNTRY_BITS = 16  # two letters; the system stands above them
LISTED = 1
_COUNTRY = (1 << COUNTRY_BITS) - 1


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges as a file has them, in its order: first and last address as halves of 128 bits, and what each says."""

    first: tuple[Halves, Halves]
    last: tuple[Halves, Halves]
    says: Said  # asn << 16 | country, or LISTED; 0 says nothing

    def only(self, mask: int) -> Ranges:
        """Return the ranges that say something in some of the bits, and only that."""
        says = self.says & mask
        kept = says != 0
        first, last = ((high[kept], low[kept]) for high, low in (self.first, self.last))
        return Ranges(first, last, says[kept])


@dataclass(frozen=True, slots=True)
class Lookup:
    """Stretches of all addresses, sorted, with what holds from each one's first address on; see `stretches`."""

    stretches: tuple[Halves, Halves, Said]
    begins: npt.NDArray[np.int32]
    steps: int

    def find(self, addresses: pa.Array) -> Said:
        """Return what holds for each address of a string array, 0 for nothing."""
        return kernels.look_up(*text_of(addresses), self.stretches, self.begins, self.steps)


SYSTEM, COUNTRY = ~_COUNTRY, _COUNTRY


def pack(asn: Said, country: npt.NDArray[np.str_]) -> Said:
    """Return what ranges say from systems (0: none) and countries (two capital letters, or '')."""
    letters = np.char.encode(country, "ascii").astype("S2").view(np.uint8).reshape(-1, 2).astype(np.int64)
    return asn << COUNTRY_BITS | letters[:, 0] << 8 | letters[:, 1]


def unpack(says: Said) -> tuple[Said, Said]:
    """Return the systems and the countries (first letter × 256 + second) that ranges say, 0 for none."""
    return says >> COUNTRY_BITS, says & _COUNTRY


def lookup_of(layers: Sequence[Ranges]) -> Lookup:
    """Return one lookup over several layers, each flattened by itself: what they say is put together."""
    stretches = _flatten(layers[0])
    for layer in layers[1:]:
        stretches = kernels.overlay(stretches, _flatten(layer))
    begins = kernels.index_fours(stretches[0], stretches[1])
    return Lookup(stretches, begins, int(np.diff(begins).max()).bit_length())


def join(parts: Sequence[Ranges]) -> Ranges:
    """Return the ranges of several files as one file's, in the order given."""
    first, last = (
        tuple(np.concatenate([getattr(part, end)[half] for part in parts]) for half in (0, 1))
        for end in ("first", "last")
    )
    return Ranges(first, last, np.concatenate([part.says for part in parts]))  # type: ignore[arg-type]


def text_of(strings: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return a string array as kernels take it: bytes and offsets. What is null has no length or is overwritten."""
    plain = strings.cast(pa.string())
    _, offsets, data = plain.buffers()
    places = np.frombuffer(offsets, np.int32)[plain.offset : plain.offset + len(plain) + 1]
    return np.frombuffer(data or b"", np.uint8), places


def read_networks(strings: pa.Array) -> tuple[tuple[Halves, Halves], tuple[Halves, Halves], npt.NDArray[np.bool_]]:
    """Return the first and the last address of each network (an address is one of its own), and which texts are any."""
    high, low, length = addressing.read_addresses(*text_of(strings))
    good = length != addressing.NO_ADDRESS
    bounds = addressing.bounds_of(high, low, np.where(good, length, 0))
    return (bounds[0], bounds[1]), (bounds[2], bounds[3]), good


def _flatten(ranges: Ranges) -> tuple[Halves, Halves, Said]:
    (high, low), (last_high, last_low) = ranges.first, ranges.last
    given = np.arange(len(ranges.says))
    # by first address, from wide to narrow; of equal ranges the one given first comes last, and so says
    order = np.lexsort((-given, ~last_low, ~last_high, low, high))
    return kernels.flatten(high[order], low[order], last_high[order], last_low[order], ranges.says[order])
