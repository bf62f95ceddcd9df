"""Feeds that are no STIX: MISP events, CSV with named columns, and plain lists of values."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stillwatch.sharing.feeds.values import lasting, usable
from stillwatch.sharing.feeds.words import Claim, Item, Json, Refused, Wrong
from stillwatch.sharing.ids import NAMESPACE, canonical
from stillwatch.sharing.taxii.envelope import MAX_CONTAINERS, depth_of
from stillwatch.sharing.taxii.times import read_time, write_time

LONGEST_LINE = 10_000
DEEPEST = 16
MISP_TYPES = {
    "ip-src": "address", "ip-dst": "address", "AS": "asn", "ja3-fingerprint-md5": "client", "domain": "mail-domain",
    "email-domain": "mail-domain", "jarm-fingerprint": "", "user-agent": "",
}  # fmt: skip
COLUMNS = ("value", "kind", "valid_until", "confidence", "origin", "key_id")


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a list: the kind of its values, names of its columns, when it was read."""

    now: int
    kind: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


def read_list(body: bytes, how: Reading) -> Iterator[Item | Refused]:
    """Yield the values of a plain list, one a line; `#` begins a comment."""
    for number, line in enumerate(_text(body).splitlines(), 1):
        value = line.partition("#")[0].strip()
        if value:
            yield _taken(f"line {number}", {"value": value, "kind": how.kind}, how)


def read_csv(body: bytes, how: Reading) -> Iterator[Item | Refused]:
    """Yield the rows of a CSV file by its header and the names of `columns`."""
    names = {ours: how.columns.get(ours, ours) for ours in COLUMNS}
    try:
        rows = csv.DictReader(io.StringIO(_text(body), newline=""), strict=True)
        if names["value"] not in (rows.fieldnames or ()):
            yield Refused("", f"there is no column {names['value']!r}", "name the column of the values in `columns`")
            return
        for row in rows:
            told = {ours: str(row.get(theirs) or "").strip() for ours, theirs in names.items()}
            yield _taken(f"line {rows.line_num}", told | {"kind": told["kind"] or how.kind}, how)
    except csv.Error as error:
        yield Refused("", f"is no CSV ({str(error)[:80]})", "quote cells that hold separators; end every quote")


def read_misp(body: bytes, how: Reading) -> Iterator[Item | Refused]:
    """Yield the attributes of a MISP event, or of a list of events; its organisation is their origin."""
    try:
        if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
            raise ValueError
        told = json.loads(body)
    except (ValueError, RecursionError):
        yield Refused("", "is not JSON, or holds too much", "send one MISP event as JSON")
        return
    if depth_of(told, DEEPEST) > DEEPEST:
        yield Refused("", f"it nests deeper than {DEEPEST} levels", "send one MISP event as JSON")
        return
    listed = told.get("response", told) if isinstance(told, dict) else told
    for event in listed if isinstance(listed, list) else [listed]:
        held = event.get("Event", event) if isinstance(event, dict) else {}
        if not isinstance(held, dict) or not isinstance(held.get("Attribute"), list):
            yield Refused("", "is no MISP event with a list of attributes", "send one MISP event as JSON")
            continue
        org = held.get("Orgc")
        org = org.get("uuid") if isinstance(org, dict) else None
        for attribute in held["Attribute"]:
            yield from _attribute(attribute, f"identity--{org}" if isinstance(org, str) else "", how)


def _attribute(attribute: object, origin: str, how: Reading) -> Iterator[Item | Refused]:
    if not isinstance(attribute, dict):
        yield Refused("", "an attribute is no object", "send one MISP event as JSON")
        return
    kind = MISP_TYPES.get(str(attribute.get("type")), "")
    if not kind or attribute.get("deleted") is True:
        return  # of another kind: names, texts, the attached bundle
    value = str(attribute.get("value", "")).removeprefix("AS" if kind == "asn" else "\0")
    kind = "prefix" if kind == "address" and "/" in value else kind
    name = f"misp-attribute--{str(attribute.get('uuid'))[:40]}" if attribute.get("uuid") else ""
    yield _taken(name, {"value": value, "kind": kind, "origin": origin}, how, attribute)


def _taken(name: str, told: Mapping[str, str], how: Reading, whole: Json | None = None) -> Item | Refused:
    try:
        kind, value = told["kind"], usable(told["kind"], told["value"])
        until = _moment(told.get("valid_until", ""))
        ends = lasting(kind, how.now, until)
        held = whole or {key: cell for key, cell in told.items() if cell}
        key_id, confidence = told.get("key_id", ""), _number(told.get("confidence", ""))
        claim = Claim(kind, value, key_id, told.get("origin", "")[:300], confidence, 0, ends, how.now)
        own = name if name.startswith("misp") else f"{kind}--{uuid.uuid5(NAMESPACE, canonical([kind, value, key_id]))}"
        return Item(own, write_time(how.now), canonical(held).encode(), claim)
    except Wrong as wrong:
        return Refused(name, wrong.wrong, wrong.mend)


def _moment(text: str) -> int | None:
    if not text:
        return None
    found = read_time(text if "T" in text else f"{text}T00:00:00Z")
    if found is None:
        raise Wrong(f"'valid_until' is {text[:40]!r}, no moment", "write it as 2026-01-31T12:00:00Z or 2026-01-31")
    return found


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:4]) <= 100):
        raise Wrong(f"'confidence' is {text[:20]!r}", "write a whole number from 0 to 100")
    return int(text)


def _text(body: bytes) -> str:
    return "\n".join(line[:LONGEST_LINE] for line in body.decode("utf-8-sig", "replace").splitlines())
