"""What an object must be to be stored: cheap checks of its own form, none of what it says.

They are what a server needs to keep its promises: an id, a version, a marking and the objects it names. Whether an
indicator is right, or a pattern can be parsed, is for whoever uses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stillwatch.sharing.taxii.envelope import Piece
from stillwatch.sharing.taxii.markings import Tlp, level_of
from stillwatch.sharing.taxii.patterns import pattern_fault
from stillwatch.sharing.taxii.required import OBSERVABLES, STRINGS, TIMES, VERSIONED
from stillwatch.sharing.taxii.times import read_time

NO_VERSION = "1970-01-01T00:00:00.000Z"  # the version of what has none: the same for every such object
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID = re.compile(rf"([a-z0-9]+(?:-[a-z0-9]+)*)--{_UUID}", re.ASCII)
_RELATIONS = ("relationship--", "sighting--")


class Fault(ValueError):
    """What is wrong with one object, in words for its sender."""


@dataclass(frozen=True, slots=True)
class Posted:
    """An object that may be stored."""

    object_id: str
    type: str
    spec_version: str
    version: int
    version_text: str
    tlp: Tlp
    names: tuple[str, ...]  # ids of the objects that it refers to, its author and markings apart
    raw: bytes

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What no two stored objects of a collection share."""
        return self.object_id, self.spec_version, self.version, int(self.tlp)


def check(piece: Piece, unmarked: Tlp) -> Posted:
    """Check one object; raises Fault."""
    if piece.fault is not None:
        raise Fault(piece.fault)
    stix = piece.content
    if not isinstance(stix, dict):
        raise Fault("it is no JSON object")
    object_id, kind = _identity(stix)
    spec_version = _spec_version(stix, kind)
    version, text = _version(stix, kind)
    if spec_version == "2.1":
        _has_what_its_type_needs(stix, kind)
    if kind == "indicator":
        _pattern(stix)
    _times(stix)
    _markings(stix)
    names = tuple(_names(stix, object_id, kind))
    return Posted(object_id, kind, spec_version, version, text, level_of(stix, unmarked), names, piece.raw)


def is_id(text: object) -> bool:
    """Whether it has the form of a STIX identifier."""
    return isinstance(text, str) and len(text) <= 300 and _ID.fullmatch(text) is not None


def _identity(stix: dict[str, Any]) -> tuple[str, str]:
    object_id, kind = stix.get("id"), stix.get("type")
    if not isinstance(object_id, str) or len(object_id) > 300:
        raise Fault("'id' is missing or no string")
    found = _ID.fullmatch(object_id)
    if found is None:
        raise Fault("'id' is not TYPE--UUID in lower case")
    if found[1] != kind or len(found[1]) > 250:
        raise Fault("'type' is not the one in 'id'")
    if kind == "bundle":
        raise Fault("it is a bundle; send its objects themselves")
    return object_id, found[1]


def _spec_version(stix: dict[str, Any], kind: str) -> str:
    default = "2.1" if kind in OBSERVABLES or "created" not in stix else "2.0"
    found = stix.get("spec_version", default)
    if found not in ("2.0", "2.1"):
        raise Fault("'spec_version' is neither 2.0 nor 2.1")
    return str(found)


def _version(stix: dict[str, Any], kind: str) -> tuple[int, str]:
    """The version and how it is written: modified, else created, else one that all such objects share."""
    for name in ("created", "modified"):
        if name in stix and read_time(stix[name]) is None:
            raise Fault(f"'{name}' is not a timestamp such as 2026-01-31T12:00:00.000Z")
    needs = ("created", "modified") if kind in VERSIONED else ("created",) if kind == "marking-definition" else ()
    if "modified" in stix:
        needs = ("created",)
    for name in needs:
        if name not in stix:
            raise Fault(f"'{name}' is missing, which a {kind} needs")
    text = stix.get("modified") or stix.get("created")
    if text is None:
        return 0, NO_VERSION
    micros = read_time(text)
    assert micros is not None
    return micros, str(text)


def _has_what_its_type_needs(stix: dict[str, Any], kind: str) -> None:
    needs = VERSIONED.get(kind)
    if needs is None:
        needs = OBSERVABLES.get(kind, ())
    for name in needs:
        value = stix.get(name)
        if value is None or value == "" or value == []:
            raise Fault(f"'{name}' is missing, which a {kind} needs")
        if name in STRINGS and not isinstance(value, str):
            raise Fault(f"'{name}' is no string")


def _pattern(stix: dict[str, Any]) -> None:
    fault = pattern_fault(stix.get("pattern"), str(stix.get("pattern_type", "stix")))
    if fault is not None:
        raise Fault(f"'pattern' {fault}")


def _times(stix: dict[str, Any]) -> None:
    for name in TIMES:
        if name in stix and read_time(stix[name]) is None and not _of_another_kind(name, stix[name]):
            raise Fault(f"'{name}' is not a timestamp such as 2026-01-31T12:00:00.000Z")


def _of_another_kind(name: str, value: object) -> bool:
    """Custom objects may use these names for numbers or lists, but text under them is a time."""
    return name in ("start_time", "stop_time") and not isinstance(value, str)


def _markings(stix: dict[str, Any]) -> None:
    marks = stix.get("object_marking_refs", [])
    if not isinstance(marks, list) or not all(isinstance(each, str) and is_id(each) for each in marks):
        raise Fault("'object_marking_refs' is no list of identifiers")
    if stix["id"] in marks:
        raise Fault("it marks itself")
    granular = stix.get("granular_markings", [])
    if not isinstance(granular, list) or not all(isinstance(each, dict) for each in granular):
        raise Fault("'granular_markings' is no list of objects")
    if not all(isinstance(each.get("marking_ref", ""), str) for each in granular):
        raise Fault("'marking_ref' is no identifier")


def _names(stix: dict[str, Any], object_id: str, kind: str) -> Iterator[str]:
    seen = set()
    for key, value in stix.items():
        if "_ref" not in key or not key.endswith(("_ref", "_refs")) or key == "object_marking_refs":
            continue
        for each in value if isinstance(value, list) else (value,):
            if not is_id(each):
                raise Fault(f"'{key[:60]}' holds what is no identifier")
            if key == "created_by_ref":
                continue
            if each == object_id:
                raise Fault(f"'{key[:60]}' refers to the object itself")
            if kind == "relationship" and each.startswith(_RELATIONS):
                raise Fault(f"'{key[:60]}' refers to another relation")
            if each not in seen:
                seen.add(each)
                yield each
