"""Ranges as text: first and last address or a network, then a system, a country or both, told by what columns hold."""

from __future__ import annotations

import csv
import io
import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from stillwatch.ingest.ranges import Halves, Ranges, pack, read_networks
from stillwatch.model import InputRefused

COMMENTS = (b"#", b";", b"//")
SYSTEM = r"^(?i:as)?\d{1,10}$"
COUNTRY = r"^[A-Za-z]{2}$"
NOBODY = ("ZZ", "XX", "--")  # what files write where they know no country
SYSTEM_NAMES = ("asn", "as", "as_number", "autonomous_system_number")
COUNTRY_NAMES = ("country", "country_code", "country_iso_code", "country_iso", "iso_code", "cc")
LOOKED_AT = 2_000  # rows by which a column without a name is told
WANTED = "expected first address, last address (or a network), then a system or a two-letter country"


class Misfit(NamedTuple):
    """An entry of a reference file that could not be used: its line or place, what stood there, the mend."""

    row: int
    value: str
    mend: str


class _Layout(NamedTuple):
    skipped: int  # lines before the first range
    delimiter: str
    width: int
    bounds: int  # columns of addresses: 1 for a network, 2 for first and last
    header: tuple[str, ...]


def read_ranges(text: bytes) -> tuple[tuple[str, ...], Ranges, list[Misfit], int]:
    """Return what a table says (asn, country), its ranges, the rows that could not be used, and how many there are.

    Raises InputRefused when it is no table of ranges, or says neither a system nor a country.
    """
    layout = _lay_out(text)
    table, misfits = _read_table(text, layout)
    asn_at, country_at = _roles(table, layout)
    first, last, good = _bounds(table, layout)
    asn, fit = _systems(table, asn_at)
    says = pack(asn, _countries(table, country_at))
    for at in np.flatnonzero(~(good & fit)):
        value = layout.delimiter.join(str(table[name][int(at)].as_py()) for name in table.column_names)
        misfits.append(Misfit(int(at) + layout.skipped + 1, value, f"{WANTED}; correct it or leave it out"))
    ranges = Ranges(first, last, np.where(good & fit, says, 0)).only(-1)
    names = tuple(name for name, at in (("asn", asn_at), ("country", country_at)) if at is not None)
    return names, ranges, sorted(misfits), table.num_rows


def _lay_out(text: bytes) -> _Layout:
    header: tuple[str, ...] = ()
    for skipped, line in enumerate(io.BytesIO(text)):
        if not line.strip() or line.lstrip().startswith(COMMENTS):
            continue
        shown = line.decode("utf-8", errors="replace").strip("\r\n")
        delimiter = next((each for each in "\t;," if each in shown), ",")
        cells = next(csv.reader([shown], delimiter=delimiter))
        good = read_networks(pa.array([cell.strip() for cell in cells[:2]], pa.string()))[2]
        if good.all() and len(cells) > 2 and "/" not in cells[0]:
            return _Layout(skipped, delimiter, len(cells), 2, header)
        if good[0] and "/" in cells[0]:
            return _Layout(skipped, delimiter, len(cells), 1, header)
        if header:
            break
        header = tuple(cell.strip().lower() for cell in cells)
    raise InputRefused(f"is no table of ranges: {WANTED}, found '{','.join(header)[:60]}'")


def _read_table(text: bytes, layout: _Layout) -> tuple[pa.Table, list[Misfit]]:
    misfits: list[Misfit] = []

    def set_aside(row: pcsv.InvalidRow) -> str:
        place = layout.skipped + (row.number or 0)
        misfits.append(Misfit(place, row.text, f"has {row.actual_columns} columns, not {row.expected_columns}"))
        return "skip"

    names = [f"c{at}" for at in range(layout.width)]
    wanted = names[: layout.bounds + 4]
    try:
        table = pcsv.read_csv(
            io.BytesIO(text),
            read_options=pcsv.ReadOptions(column_names=names, skip_rows=layout.skipped, use_threads=False),
            parse_options=pcsv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=set_aside),
            convert_options=pcsv.ConvertOptions(
                check_utf8=False, include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string())
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputRefused("is a damaged table; write it again") from error
    return table, misfits


def _roles(table: pa.Table, layout: _Layout) -> tuple[int | None, int | None]:
    """Which column is the system and which the country: by the header where there is one, else by what they hold."""
    rest = range(layout.bounds, table.num_columns)
    if layout.header:
        named = [layout.header[at] if at < len(layout.header) else "" for at in rest]
        asn = next((at for at, name in zip(rest, named, strict=True) if name in SYSTEM_NAMES), None)
        country = next((at for at, name in zip(rest, named, strict=True) if name in COUNTRY_NAMES), None)
    else:
        asn = next((at for at in rest if _mostly(table[f"c{at}"], SYSTEM)), None)
        country = next((at for at in rest if _mostly(table[f"c{at}"], COUNTRY)), None)
    if asn is None and country is None:
        columns = f", only {', '.join(layout.header)}" if layout.header else ""
        raise InputRefused(f"is a table of ranges that says neither a system nor a country{columns}")
    return asn, country


def _mostly(column: pa.ChunkedArray, form: str) -> bool:
    some = _ascii(column.slice(0, LOOKED_AT))
    known = some.filter(pc.not_equal(some, ""))
    return len(known) > 0 and pc.mean(pc.match_substring_regex(known, form)).as_py() >= 0.5


def _ascii(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without what is not UTF-8: names of systems come in every encoding."""
    return pa.chunked_array(
        [
            [
                re.sub(r"[^\x20-\x7e]", "?", str(value, "latin-1")).strip()
                for value in column.cast(pa.binary()).to_pylist()
            ]
        ],
        pa.string(),
    )


def _bounds(
    table: pa.Table, layout: _Layout
) -> tuple[tuple[Halves, Halves], tuple[Halves, Halves], npt.NDArray[np.bool_]]:
    first, last, good = read_networks(_trimmed(table["c0"]))
    if layout.bounds == 1:
        return first, last, good
    _, end, fits = read_networks(_trimmed(table["c1"]))
    ordered = (first[0] < end[0]) | ((first[0] == end[0]) & (first[1] <= end[1]))
    return first, end, good & fits & ordered


def _trimmed(column: pa.ChunkedArray) -> pa.Array:
    return pc.ascii_trim_whitespace(column).combine_chunks()


def _systems(table: pa.Table, at: int | None) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Systems, 0 for none, and which cells are one or empty."""
    if at is None:
        return np.zeros(table.num_rows, np.int64), np.ones(table.num_rows, np.bool_)
    digits = pc.replace_substring_regex(_trimmed(table[f"c{at}"]), "^(?i:as)", "")
    number = pc.if_else(pc.match_substring_regex(digits, r"^\d{1,10}$"), digits, None).cast(pa.int64())
    systems = pc.fill_null(number, 0).to_numpy(zero_copy_only=False)
    empty = pc.is_in(digits, value_set=pa.array(["", "-", "None"])).to_numpy(zero_copy_only=False)
    return np.where(systems < 2**32, systems, 0), (systems < 2**32) & (pc.is_valid(number).to_numpy(False) | empty)


def _countries(table: pa.Table, at: int | None) -> npt.NDArray[np.str_]:
    if at is None:
        return np.full(table.num_rows, "", "U2")
    codes = pc.ascii_upper(_trimmed(table[f"c{at}"]))
    known = pc.and_(pc.match_substring_regex(codes, COUNTRY), pc.invert(pc.is_in(codes, value_set=pa.array(NOBODY))))
    return np.asarray(pc.if_else(known, codes, "").to_pylist(), "U2")
