"""Times as whole microseconds since 1970, which compare and never round."""

from __future__ import annotations

import datetime as dt
import re
import time
from functools import lru_cache

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICRO = dt.timedelta(microseconds=1)
_SHAPE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,18})?Z", re.ASCII)


def read_time(text: object) -> int | None:
    """Microseconds of a timestamp of STIX or TAXII, digits beyond them cut off; None when it is not one."""
    return _read(text) if isinstance(text, str) and len(text) <= 40 else None


@lru_cache(16_384)  # the objects of one envelope share most of theirs
def _read(text: str) -> int | None:
    if _SHAPE.fullmatch(text) is None:
        return None
    try:
        return (dt.datetime.fromisoformat(text if len(text) <= 27 else text[:26] + "Z") - _EPOCH) // _MICRO
    except ValueError:  # such as the 30th of February
        return None


def write_time(micros: int) -> str:
    """A timestamp as TAXII wants it: UTC, with exactly six digits."""
    return (_EPOCH + micros * _MICRO).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000
