"""Which requests all conditions must answer alike: most look like one before them, and need not be asked again.

Two requests are alike if all that the conditions name is equal. A number that is only ever compared with written
numbers (`account_age_days < 14.0`) need not be equal: it is enough that it lies on the same side of each of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from stillwatch.actions.attributes import Attributes

REMEMBERED = 4_096  # kinds of requests
_WRITTEN = r"(-?\d+(?:\.\d+)?)"
_BEFORE, _AFTER = r"(?:^|[(\[?:,]|&&|\|\|)\s*", r"\s*(?:$|[)\]?:,]|&&|\|\|)"
_COMPARED = r"\s*(?:<=|>=|<|>|==|!=)\s*"
_WIDEST = 1 << 63  # past it a number is none to the conditions, and each such request is asked

Read = Callable[[Attributes], Any]


def bounds(name: str, conditions: Sequence[str]) -> list[float] | None:
    """Return the written numbers that an attribute is compared with, ascending; None where more is done with it."""
    found: set[float] = set()
    for condition in conditions:
        compared = re.findall(f"(?={_BEFORE}{name}{_COMPARED}{_WRITTEN}{_AFTER})", condition)
        if len(compared) != len(re.findall(rf"\b{name}\b", condition)):
            return None
        found.update(float(each) if "." in each else int(each) for each in compared)
    return sorted(found)


def reader(name: str, kind: str, conditions: Sequence[str]) -> Read:
    """Return what reads of a request all that the conditions can tell by this attribute."""
    ends = bounds(name, conditions) if kind in ("int", "float") else None
    if ends is None:
        return lambda attributes: getattr(attributes, name)

    def side(attributes: Attributes) -> Any:
        value = getattr(attributes, name)
        if not -_WIDEST <= value < _WIDEST:  # which no number that is none does, either
            return value
        at = bisect_left(ends, value)
        return at, bisect_right(ends, value, at)

    return side
