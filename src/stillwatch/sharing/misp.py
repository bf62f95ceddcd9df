"""A bundle as a MISP event: flat attributes, the bundle attached, and every object and property that MISP has not.

One way only. MISP has no words for most of what STIX says, and its STIX exporters lose what they cannot map without a
word; so what is carried is listed here by hand, and all else is counted as lost.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from stillwatch.model import MissingDependency
from stillwatch.sharing.case import Kind
from stillwatch.sharing.grammar import JA4
from stillwatch.sharing.patterns import read_pattern
from stillwatch.sharing.tlp import Tlp, level_of

TYPES: Mapping[Kind, str] = {
    Kind.ADDRESS: "ip-src", Kind.PREFIX: "ip-src", Kind.ASN: "AS", Kind.CLIENT: "ja3-fingerprint-md5",
    Kind.USER_AGENT: "user-agent", Kind.MAIL_DOMAIN: "domain", Kind.PAYMENT: "other", Kind.TEMPLATE: "other",
}  # fmt: skip
ACTS = frozenset({Kind.ADDRESS, Kind.PREFIX})  # on which a machine may act (to_ids); the rest is for people
CARRIED = {  # properties of an object that its attribute holds
    "indicator": ("type", "id", "pattern", "valid_from", "valid_until", "confidence", "object_marking_refs"),
    "campaign": ("type", "id", "name", "first_seen", "last_seen", "object_marking_refs"),
    "threat-actor": ("type", "id", "name", "object_marking_refs"),
    "intrusion-set": ("type", "id", "name", "object_marking_refs"),
    "attack-pattern": ("type", "id", "name", "external_references"),
    "course-of-action": ("type", "id", "name", "description"),
}
NAMED = {"campaign": ("Attribution", "campaign-name"), "threat-actor": ("Attribution", "threat-actor"),
         "intrusion-set": ("Attribution", "threat-actor"), "attack-pattern": ("Other", "text"),
         "course-of-action": ("Other", "comment")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Losses:
    """What a MISP event does not carry but in the attached file: (object id, property) in the bundle's order."""

    attributes: int
    lost: tuple[tuple[str, str], ...]

    def lines(self) -> list[str]:
        """Return a line for each object of which something is lost; "all of it" for one that has no attribute."""
        whole: dict[str, list[str]] = {}
        for name, field in self.lost:
            whole.setdefault(name, []).append(field)
        return [
            f"{name}: {'all of it: ' if 'id' in fields else ''}{', '.join(fields)}" for name, fields in whole.items()
        ]


def flatten(told: Mapping[str, Any], text: str) -> tuple[dict[str, Any], Losses]:
    """Return a bundle as a MISP event and what is lost in it; `text` is the bundle's bytes, which are attached."""
    try:
        from pymisp import MISPEvent
    except ImportError:
        raise MissingDependency("MISP events need pymisp: pip install 'stillwatch[sharing]'") from None
    event = MISPEvent()
    level = _level(told)
    report: Mapping[str, Any] = next((one for one in told["objects"] if one["type"] == "report"), {})
    event.uuid = _uuid(told["id"])
    event.info = report.get("name", "stillwatch bundle")
    event.date = str(report.get("published", report.get("created", "1970-01-01")))[:10]
    event.distribution, event.threat_level_id, event.analysis = 0, 4, 2  # this organisation; undefined; completed
    if level is not None:
        event.add_tag(f"tlp:{level.value}")
    carried: set[tuple[str, str]] = set()
    for one in told["objects"]:
        for attribute in filter(None, (_attribute(one),)):
            event.add_attribute(**attribute)
            carried |= {(one["id"], name) for name in CARRIED[one["type"]]}
    event.add_attribute(
        "attachment", "bundle.stix21.json", category="External analysis", data=BytesIO(text.encode()), to_ids=False,
        uuid=_uuid(f"{told['id']} attached"), comment="the original: all that this event does not carry",
    )  # fmt: skip
    everything = [(one["id"], name) for one in told["objects"] for name in one]
    lost = tuple(pair for pair in everything if pair not in carried)
    return _plain(event), Losses(len(event.attributes), lost)


def _plain(event: Any) -> dict[str, Any]:
    import json

    loaded: dict[str, Any] = json.loads(event.to_json(sort_keys=True))
    for each in loaded.get("Attribute", ()):
        each.pop("timestamp", None)
    loaded.pop("timestamp", None)
    return {"Event": loaded}


def _attribute(one: Mapping[str, Any]) -> dict[str, Any] | None:
    if one["type"] == "indicator":
        return _indicator(one)
    if one["type"] not in NAMED:
        return None
    category, kind = NAMED[one["type"]]
    references = [ref.get("external_id", "") for ref in one.get("external_references", ())]
    text = " ".join(filter(None, [one["name"], *references]))
    comment = one.get("description", "") if one["type"] == "course-of-action" else one["id"]
    value = f"{text}: {comment}" if one["type"] == "course-of-action" else text
    return {"type": kind, "value": value, "category": category, "to_ids": False, "comment": one["id"],
            "uuid": _uuid(one["id"]), **_seen(one, "first_seen", "last_seen")}  # fmt: skip


def _indicator(one: Mapping[str, Any]) -> dict[str, Any] | None:
    read = read_pattern(str(one.get("pattern", "")))
    if read is None:
        return None
    kind, value = read
    name = "other" if JA4.fullmatch(value) else TYPES[kind]  # MISP has a type for JA3 alone
    end = one.get("valid_until", "never")
    comment = (
        f"{one.get('name', kind.value)}; until {end}; confidence {one.get('confidence', 'not given')}; {one['id']}"
    )
    return {"type": name, "value": f"AS{value}" if kind is Kind.ASN else value, "to_ids": kind in ACTS,
            "comment": comment, "uuid": _uuid(one["id"]), **_seen(one, "valid_from", "valid_until")}  # fmt: skip


def _seen(one: Mapping[str, Any], first: str, last: str) -> dict[str, str]:
    pairs = (("first_seen", one.get(first)), ("last_seen", one.get(last)))
    return {name: str(moment) for name, moment in pairs if moment}


def _level(told: Mapping[str, Any]) -> Tlp | None:
    levels = [level for level in map(level_of, told["objects"]) if level is not None]
    return max(levels, key=lambda level: level.rank) if levels else None


def _uuid(name: str) -> str:
    """Return the UUID of an id, so that a second event updates the first."""
    tail = name.partition("--")[2]
    try:
        return str(uuid.UUID(tail))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))
