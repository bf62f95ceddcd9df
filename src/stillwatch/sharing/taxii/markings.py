"""How far an object may go: its TLP level, from the identifiers of TLP 2.0 and TLP 1.

The strictest marking on an object or on any part of it counts for the whole, since an object is served whole or not at
all. A marking that is not a TLP level says nothing about who may see the object.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from stillwatch.sharing import tlp


class Tlp(IntEnum):
    """Levels of TLP 2.0 as numbers, which a database compares: a partner cleared for one sees all below it."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4


LEVELS = {level.value: Tlp(level.rank) for level in tlp.Tlp}
NAMES = {level: name for name, level in LEVELS.items()}
MARKINGS = {marking: Tlp(level.rank) for marking, level in tlp.LEVELS.items()} | {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,  # TLP 1: white
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}
OPEN_TYPES = frozenset({"marking-definition", "extension-definition"})  # they say how to read others, and are public


def level_of(stix: dict[str, Any], unmarked: Tlp) -> Tlp:
    """The strictest TLP level among an object's markings; `unmarked` where there is none."""
    found = [MARKINGS[each] for each in stix.get("object_marking_refs", ()) if each in MARKINGS]
    for granular in stix.get("granular_markings", ()):
        level = MARKINGS.get(granular.get("marking_ref"))
        if level is not None:
            found.append(level)
    if found:
        return max(found)
    return Tlp.CLEAR if stix["type"] in OPEN_TYPES else unmarked
