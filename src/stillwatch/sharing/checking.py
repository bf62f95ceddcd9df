"""Whether a bundle is what it should be: STIX 2.1 in its strict reading, our schemas, and what sharing asks on top."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stillwatch.model import MissingDependency
from stillwatch.sharing.extensions import SCHEMAS
from stillwatch.sharing.tlp import level_of

UNMARKED = frozenset({"marking-definition", "extension-definition", "identity"})  # may do without a level


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a bundle, and the object it is wrong with."""

    where: str
    problem: str


def check(text: str) -> list[Problem]:
    """Return what is wrong with a bundle; nothing if it is valid. Needs no network."""
    told = json.loads(text)
    return [*_asked(told), *_strict(text)]


def _asked(told: Mapping[str, Any]) -> Iterator[Problem]:
    for one in told.get("objects", ()):
        name, kind = str(one.get("id", "?")), one.get("type")
        if kind == "indicator" and "valid_until" not in one:
            yield Problem(name, "an indicator without valid_until never stops accusing; give it an end")
        if kind not in UNMARKED and level_of(one) is None:
            yield Problem(name, "has no TLP 2.0 marking, so nobody knows how far it may go")


def _strict(text: str) -> Iterator[Problem]:
    try:
        from stix2validator import ValidationOptions, validate_string
    except ImportError:
        raise MissingDependency("validation needs stix2-validator: pip install 'stillwatch[sharing]'") from None
    options = ValidationOptions(version="2.1", strict=True, enforce_refs=True, schema_dir=str(SCHEMAS))
    result = validate_string(text, options)
    results = result if isinstance(result, list) else [result]
    for each in results:
        for error in [*(each.errors or ()), *(each.warnings or ())]:
            where, _, words = str(error).partition(": ")
            yield Problem(where if words else "bundle", words or where)
