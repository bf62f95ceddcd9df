"""Reference files about addresses and mail domains: what each is by its content, what it says, and how old it is.

MMDB ─┐
CSV  ─┼─► Reference: ranges that say a system or a country, a list of networks, or a list of mail domains
list ─┘
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest import mmdb, range_csv
from stillwatch.ingest.range_csv import Misfit
from stillwatch.ingest.ranges import LISTED, Ranges, read_networks
from stillwatch.ingest.records import REJECTED
from stillwatch.model import InputRefused

ASN, COUNTRY, NETWORKS, DOMAINS = "asn", "country", "networks", "mail domains"
KINDS = (
    "an MMDB file, ranges as CSV or TSV (first address, last address or network, then system or country), "
    "a list of networks, or a list of mail domains, one a line"
)
LOOKED_AT = 200  # entries of a list by which its kind is told
DOMAIN = r"^@?([^\s@/:,]+\.)+[^\s@/:,.]*[^\s@/:,.\d][^\s@/:,.]*$"  # no number at the end, or addresses would be domains
DAY = re.compile(r"(?<!\d)(20\d\d)[-_.]?(0[1-9]|1[0-2])(?:[-_.]?(0[1-9]|[12]\d|3[01]))?(?!\d)")
REPRODUCIBLE = 1_420_070_400  # 2015: earlier gzip times are fixed ones, which builds use to give equal bytes
SHOWN = 60  # characters of a line in a message


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference file. `ranges` say packed systems and countries, or LISTED; `says` names what it holds."""

    path: str
    says: tuple[str, ...]
    bytes: int
    sha256: str
    rows: int
    dated: str | None  # day or moment, ISO 8601
    dated_by: str | None  # what says so: build_epoch, gzip header, file name
    rejected: pa.Table = field(repr=False)
    ranges: Ranges | None = field(default=None, repr=False)
    domains: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def name(self) -> str:
        """Return what a list is called: its file's name without extensions."""
        return Path(self.path).name.partition(".")[0]


def read_reference(path: str | Path) -> Reference:
    """Read one file, of whatever kind its content is. Raises InputRefused when it is of none, or cannot be read."""
    label, path = str(path), Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputRefused(f"{label}: cannot be read ({error.strerror}); give {KINDS}") from error
    digest = hashlib.sha256(data).hexdigest()
    try:
        if mmdb.is_mmdb(data):
            says, ranges, built = mmdb.read_ranges(path)
            dated = dt.datetime.fromtimestamp(built, dt.UTC).isoformat().replace("+00:00", "Z")
            nothing = REJECTED.empty_table()
            return Reference(
                label, says, len(data), digest, len(ranges.says), dated, "build_epoch", nothing, ranges=ranges
            )
        return _read_text(label, data, digest)
    except InputRefused as error:
        raise InputRefused(f"{label}: {error}; give {KINDS}") from error


def _read_text(label: str, data: bytes, digest: str) -> Reference:
    dated, dated_by = _date_of(label, data)
    text = _decompress(data)
    known = (len(data), digest)
    if _first_line(text).startswith(b"["):
        return _read_list(label, known, _json_list(text), (dated, dated_by))
    if re.search(rb"[,;\t]", _first_line(text)):
        says, ranges, misfits, rows = range_csv.read_ranges(text)
        return Reference(label, says, *known, rows, dated, dated_by, _rejected(label, misfits), ranges=ranges)
    lines = text.decode("utf-8", errors="replace").splitlines()
    entries = [(at, _entry(line)) for at, line in enumerate(lines, 1)]
    return _read_list(label, known, [(at, entry) for at, entry in entries if entry], (dated, dated_by))


def _read_list(
    label: str, known: tuple[int, str], entries: Sequence[tuple[int, str]], date: tuple[str | None, str | None]
) -> Reference:
    if not entries:
        raise InputRefused("holds no entry")
    texts = pa.array([text for _, text in entries], pa.string())
    first, last, network = read_networks(texts)
    domain = pc.match_substring_regex(texts, DOMAIN).to_numpy(zero_copy_only=False)
    if network[:LOOKED_AT].mean() >= 0.5:
        good, says, want = network, NETWORKS, "an address or a network such as 192.0.2.0/24"
    elif domain[:LOOKED_AT].mean() >= 0.5:
        good, says, want = domain, DOMAINS, "a mail domain such as example.org"
    else:
        raise InputRefused(f"its first entry '{_short(entries[0][1])}' is neither an address, a network nor a domain")
    mend = f"expected {want}; correct it or leave it out"
    misfits = [Misfit(at, text, mend) for (at, text), fits in zip(entries, good.tolist(), strict=True) if not fits]
    rejected = _rejected(label, misfits)
    if says == DOMAINS:
        names = frozenset(text.lstrip("@").lower() for (_, text), fits in zip(entries, good, strict=True) if fits)
        return Reference(label, (says,), *known, len(entries), *date, rejected, domains=names)
    listed = np.where(good, LISTED, 0).astype(np.int64)
    ranges = Ranges(first, last, listed).only(LISTED)
    return Reference(label, (says,), *known, len(entries), *date, rejected, ranges=ranges)


def _entry(line: str) -> str:
    """The first word of a line, without what is commented."""
    words = line.split("#")[0].split("//")[0].split()
    return "" if not words or words[0].startswith(";") else words[0]


def _json_list(text: bytes) -> list[tuple[int, str]]:
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise InputRefused("begins like a JSON array and is none") from error
    return [(at, each.strip() if isinstance(each, str) else json.dumps(each)) for at, each in enumerate(listed, 1)]


def _first_line(text: bytes) -> bytes:
    for line in io.BytesIO(text):
        if line.strip() and not line.lstrip().startswith(range_csv.COMMENTS):
            return line.strip()
    raise InputRefused("is empty")


def _decompress(data: bytes) -> bytes:
    try:
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data).removeprefix(b"\xef\xbb\xbf")
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            return pa.CompressedInputStream(pa.BufferReader(data), "zstd").read().removeprefix(b"\xef\xbb\xbf")
    except (OSError, EOFError) as error:
        raise InputRefused("is not a whole compressed file; copy it again") from error
    if b"\0" in data[:4096]:
        raise InputRefused("is neither text nor MMDB")
    return data.removeprefix(b"\xef\xbb\xbf")


def _date_of(label: str, data: bytes) -> tuple[str | None, str | None]:
    """When a file was made, from its bytes or its name; never from the file system, where a copy is as new as today."""
    packed = int.from_bytes(data[4:8], "little") if data.startswith(b"\x1f\x8b") else 0
    named = DAY.search(Path(label).name)
    if named:
        return "-".join(part for part in named.groups() if part), "file name"
    if packed >= REPRODUCIBLE:
        return dt.datetime.fromtimestamp(packed, dt.UTC).isoformat().replace("+00:00", "Z"), "gzip header"
    return None, None


def _rejected(label: str, misfits: Sequence[Misfit]) -> pa.Table:
    rows = [
        {"file": label, "row": each.row, "field": "reference", "value": _short(each.value), "mend": each.mend}
        for each in misfits
    ]
    return pa.Table.from_pylist(rows, schema=REJECTED)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
