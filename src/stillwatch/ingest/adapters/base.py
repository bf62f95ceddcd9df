"""What an adapter is: how a foreign record is recognised, and how it becomes one exchange row."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]
Row = dict[str, Any]  # our column names; values as JSON has them
OTHER_SHAPE = (AttributeError, KeyError, TypeError, ValueError, RecursionError)  # of a record that is not as its format
HASHED = re.compile(r"[0-9a-f]{32,128}")  # a key that somebody hashed already


def whole(record: Record) -> Iterable[Record]:
    """A record that holds one exchange and no more."""
    return (record,)


def nothing(_: Record) -> Record:
    """A format whose fields all lie on the record itself."""
    return {}


@dataclass(frozen=True, slots=True)
class Adapter:
    """One foreign format.

    `mapping` says for each of our columns where it comes from, in the order asked; the documentation shows it. `reads`
    turns a record into a row, or None when it is no exchange. `unpack` yields the records that one document holds.
    `fields` gives what `--field` may name beside the record's own keys. `parse` reads a line that is not JSON.
    """

    name: str
    title: str
    source: str
    mapping: tuple[tuple[str, str], ...]
    recognises: Callable[[Record], bool]
    reads: Callable[[Record], Row | None]
    unpack: Callable[[Record], Iterable[Record]] = whole
    fields: Callable[[Record], Record] = nothing
    parse: Callable[[str], Record | None] | None = None
    binary: bool = False

    @property
    def several(self) -> bool:
        """Whether a document holds several exchanges, which are then counted instead of documents."""
        return self.unpack is not whole

    @property
    def columns(self) -> tuple[str, ...]:
        """Our columns that this format can fill."""
        return tuple(ours for ours, _ in self.mapping)


def first_of(record: Record, *names: str) -> Any:
    """Return the first value that is there, under any of these names."""
    for name in names:
        value = record.get(name)
        if value is not None and value != "" and value != "-":
            return value
    return None


def as_json(value: Any) -> Any:
    """Return what a text of JSON holds, and anything else as it is: databases and CSV keep objects as text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def as_record(value: Any) -> Record:
    """Return an object, parsed if it is text; an empty one for anything else."""
    value = as_json(value)
    if isinstance(value, list) and value and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        return dict(value)  # a map column of Arrow
    return value if isinstance(value, dict) else {}


def look_up(record: Record, name: str) -> Any:
    """Return the value that a user calls `name`: a key, or keys parted by dots; None when there is none."""
    if name in record:
        return record[name]
    head, dot, rest = name.partition(".")
    while dot:
        if head in record:
            return look_up(as_record(record[head]), rest)
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


def has_keys(record: Collection[str], *names: str) -> bool:
    """Say whether a record has all of these keys."""
    return all(name in record for name in names)


def hash_handle(handle: Any) -> str:
    """Return what stands for an opaque handle. The handle itself is never kept."""
    return hashlib.sha256(str(handle).encode("utf-8", "replace")).hexdigest()[:32]


def name_key(key: Any) -> str | None:
    """Return what stands for an API key: its hash, unless it is a hash already. The key itself is never kept."""
    if key is None or key == "":
        return None
    text = str(key).removeprefix("Bearer ").strip()
    return text if HASHED.fullmatch(text) else hash_handle(text)


def first_address(value: Any) -> Any:
    """Return the client of a chain of forwarders ("client, proxy, proxy"), without port."""
    if not isinstance(value, str):
        return value
    first = value.split(",", 1)[0].strip()
    bracketed = re.fullmatch(r"\[(.+)\](:\d+)?", first)
    if bracketed:
        return bracketed[1]
    return first.partition(":")[0] if first.count(":") == 1 else first


def drop_empty(row: Row) -> Row:
    """Leave out what is not there, so that an absent value is absent."""
    return {name: value for name, value in row.items() if value is not None and value != "" and value != []}
