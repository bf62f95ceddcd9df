"""The Traffic Light Protocol 2.0, as STIX carries it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
PUBLISHED = "2022-10-01T00:00:00.000Z"


class Tlp(StrEnum):
    """How far a recipient may pass something on, from anybody to nobody."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    @property
    def rank(self) -> int:
        """Return 0 for CLEAR up to 4 for RED."""
        return list(Tlp).index(self)


MARKINGS = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
LEVELS = {marking: level for level, marking in MARKINGS.items()}


def marking(level: Tlp) -> dict[str, Any]:
    """Return the marking-definition of a level: a fixed object, the same for everybody."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": MARKINGS[level],
        "created": PUBLISHED,
        "name": f"TLP:{level.upper()}",
        "extensions": {EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level.value}},
    }


def level_of(thing: dict[str, Any]) -> Tlp | None:
    """Return the strictest TLP 2.0 level that an object is marked with; None if it has none."""
    levels = [LEVELS[ref] for ref in thing.get("object_marking_refs", ()) if ref in LEVELS]
    return max(levels, key=lambda level: level.rank) if levels else None
