"""What a client asks for: the standard's query parameters, read strictly. Malformed ones are refused with 400."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.sharing.taxii.times import read_time
from stillwatch.sharing.taxii.words import Refusal

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
MATCHED = 1_000  # values in one filter
_EVERYWHERE = ("added_after", "limit", "next")
MATCHES = {  # by endpoint
    "objects": ("id", "type", "version", "spec_version"),
    "manifest": ("id", "type", "version", "spec_version"),
    "object": ("version", "spec_version"),
    "versions": ("spec_version",),
    "delete": ("version", "spec_version"),
}


@dataclass(frozen=True, slots=True)
class Query:
    """Filters of one request. An empty tuple filters nothing; no version means the last."""

    limit: int | None = None
    after: int = 0  # only what has a higher sequence number
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    spec_versions: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    exact: tuple[int, ...] = ()  # those of `versions` that are times


def read_query(pairs: Sequence[tuple[str, str]], endpoint: str, object_id: str | None = None) -> Query:
    """Read what the endpoint understands; other parameters are ignored, as the standard allows.

    `object_id` is the object in the path, where there is one.
    """
    known = {f"match[{field}]" for field in MATCHES[endpoint]}
    if endpoint != "delete":
        known |= set(_EVERYWHERE)
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            continue
        if name in given:
            raise _bad(name, "stands there twice")
        given[name] = value
    versions = ("all",) if endpoint == "versions" else _values(given, "version")
    return Query(
        limit=_limit(given.get("limit")),
        after=max(_time(given.get("added_after")), _number(given.get("next"))),
        ids=_values(given, "id") if object_id is None else (object_id,),
        types=_values(given, "type"),
        spec_versions=_values(given, "spec_version"),
        versions=versions,
        exact=_exact(versions),
    )


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None or int(text) == 0:
        raise _bad("limit", "is a whole number above zero")
    return int(text)


def _number(text: str | None) -> int:
    if text is None:
        return 0
    if _NUMBER.fullmatch(text) is None:
        raise _bad("next", "is not one that this server gave")
    return int(text)


def _time(text: str | None) -> int:
    if text is None:
        return 0
    micros = read_time(text)
    if micros is None:
        raise _bad("added_after", "is a timestamp such as 2026-01-31T12:00:00.000000Z")
    return micros


def _values(given: dict[str, str], field: str) -> tuple[str, ...]:
    name = f"match[{field}]"
    if name not in given:
        return ()
    values = given[name].split(",")
    if len(values) > MATCHED:
        raise _bad(name, f"takes at most {MATCHED:,} values")
    if any(not each or len(each) > 300 or not each.isprintable() for each in values):
        raise _bad(name, "is a list of values parted by commas, none of them empty")
    return tuple(values)


def _exact(versions: tuple[str, ...]) -> tuple[int, ...]:
    if len(set(versions)) != len(versions):
        raise _bad("match[version]", "has a value twice")
    if "all" in versions and len(versions) > 1:
        raise _bad("match[version]", "'all' stands alone")
    times = [read_time(each) for each in versions if each not in ("all", "first", "last")]
    if any(each is None for each in times):
        raise _bad("match[version]", "is all, first, last or a timestamp")
    return tuple(each for each in times if each is not None)


def _bad(name: str, rule: str) -> Refusal:
    return Refusal(400, "Malformed query", f"{name} {rule}")
