"""MMDB files as ranges: one walk over the tree, so that a lookup is the same search as in any other reference file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import maxminddb
import numpy as np

from stillwatch.ingest.addressing import bounds_of
from stillwatch.ingest.ranges import LISTED, Ranges, pack
from stillwatch.model import InputRefused

MARKER = b"\xab\xcd\xefMaxMind.com"  # begins the metadata, which lies within the last 128 KiB
METADATA = 128 * 1024
MAPPED = 0xFFFF_0000_0000
HALF = 2**64 - 1


def is_mmdb(data: bytes) -> bool:
    """Say whether bytes are an MMDB file."""
    return MARKER in data[-METADATA:]


def read_ranges(path: Path) -> tuple[tuple[str, ...], Ranges, int]:
    """Return what a file says (asn, country, networks), its networks as ranges, and when it was built (Unix time).

    `networks` are those that the file marks as a hosting provider's, where it says neither system nor country.
    Raises InputRefused for a damaged file, or one that says none of these.
    """
    try:
        with maxminddb.open_database(path) as reader:
            built, kind = reader.metadata().build_epoch, reader.metadata().database_type
            rows = [(network, *_read(record)) for network, record in reader]
    except (maxminddb.InvalidDatabaseError, ValueError, OSError) as error:
        raise InputRefused("is a damaged MMDB file; copy it again") from error
    asn, country = np.array([row[1] for row in rows], np.int64), np.array([row[2] for row in rows], "U2")
    hosted = np.array([row[3] for row in rows], np.bool_)
    says = [name for name, some in (("asn", (asn > 0).any()), ("country", (country != "").any())) if some]
    if says:
        values = pack(asn, country)
    elif hosted.any():
        says, values = ["networks"], np.where(hosted, LISTED, 0).astype(np.int64)
    else:
        raise InputRefused(f"is an MMDB file of type {kind!r}, which says neither system, country nor hosting")
    return tuple(says), _ranges([row[0] for row in rows], values).only(-1), built


def _read(record: Any) -> tuple[int, str, bool]:
    """A record's system (0: none), country ('': none) and whether a hosting provider's, as the common files have it."""
    if not isinstance(record, dict):
        return 0, "", False
    asn = record.get("autonomous_system_number", record.get("asn", 0))
    digits = str(asn).upper().removeprefix("AS")
    country = record.get("country_code", record.get("country", ""))
    code = country.get("iso_code", "") if isinstance(country, dict) else country
    letters = code.upper() if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() else ""
    hosted = record.get("is_hosting_provider", record.get("hosting"))
    system = int(digits) if digits.isdecimal() and int(digits) < 2**32 else 0
    return system, letters, hosted in (True, "true", 1)


def _ranges(networks: list[Any], values: np.ndarray[Any, np.dtype[np.int64]]) -> Ranges:
    numbers = [int(each.network_address) + (MAPPED if each.version == 4 else 0) for each in networks]
    length = np.array([each.prefixlen + (96 if each.version == 4 else 0) for each in networks], np.int64)
    high = np.array([number >> 64 for number in numbers], np.uint64)
    low = np.array([number & HALF for number in numbers], np.uint64)
    bounds = bounds_of(high, low, length)
    return Ranges((bounds[0], bounds[1]), (bounds[2], bounds[3]), values)
