"""One way to write an entry, so that equal entries have equal bytes: the part of RFC 8785 that has no fractions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

LARGEST = 2**53 - 1  # beyond it, programs that read numbers as doubles see another one
NAME = re.compile(r"[A-Za-z0-9_.-]+")  # ASCII, where every way to sort agrees

Value = str | int | bool | None | Sequence["Value"] | Mapping[str, "Value"]


def canonical(value: Value) -> str:
    """Return the JSON text of a value: sorted names, no spaces. Raises ValueError for what has no one text."""
    _check(value)
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    text.encode()  # raises UnicodeEncodeError, a ValueError, for half a surrogate pair
    return text


def decimal(number: float) -> str:
    """Return a fraction as text with six digits: fractions have many texts in JSON, so none stands in an entry."""
    return f"{number:.6f}"


def _check(value: Value) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise ValueError(f"{value} is too large a number for an entry; give it as text")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name for an entry; use letters, digits, _, . and -")
            _check(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _check(each)
    else:
        raise ValueError(f"a {type(value).__name__} has no one text; give it as text or as a whole number")
