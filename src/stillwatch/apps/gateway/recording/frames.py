"""Frames of a spool file: each record stands for itself, so that damage to one loses no other.

A frame is a mark, the length, a checksum over both length and record, and the record. The mark is four random bytes of
this file alone: a client that writes something like a frame into a prompt cannot know it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from zlib import crc32

MARK = 4  # bytes
_HEAD = struct.Struct("<4sII")
_pack = _HEAD.pack


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a file that are no record."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Unframed:
    """What a file holds: records, damaged stretches, and the length of a record that was never finished."""

    records: tuple[bytes, ...]
    damage: tuple[Stretch, ...]
    torn: int


def frame(mark: bytes, record: bytes) -> bytes:
    """Return the frame of a record."""
    size = len(record)
    return _pack(mark, size, crc32(record, size)) + record


def unframe(mark: bytes, data: bytes) -> Unframed:
    """Take a file apart.

    What lies between two good records is damage. What comes after the last one is the record that its writer was killed
    in, if it looks like the beginning of one: that was never acknowledged.
    """
    records: list[bytes] = []
    damage: list[Stretch] = []
    at = 0
    while at < len(data):
        record = _record_at(mark, data, at)
        if record is not None:
            records.append(record)
            at += _HEAD.size + len(record)
            continue
        after = _next_record(mark, data, at + 1)
        if after < 0 and _begins(mark, data, at):
            return Unframed(tuple(records), tuple(damage), len(data) - at)
        end = len(data) if after < 0 else after
        damage.append(Stretch(at, data[at:end]))
        at = end
    return Unframed(tuple(records), tuple(damage), 0)


def _record_at(mark: bytes, data: bytes, at: int) -> bytes | None:
    if not data.startswith(mark, at) or len(data) - at < _HEAD.size:
        return None
    _, size, check = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    if len(data) - start < size:
        return None
    record = data[start : start + size]
    return record if crc32(record, size) == check else None


def _next_record(mark: bytes, data: bytes, at: int) -> int:
    at = data.find(mark, at)
    while at >= 0 and _record_at(mark, data, at) is None:
        at = data.find(mark, at + 1)
    return at


def _begins(mark: bytes, data: bytes, at: int) -> bool:
    """Whether the rest of a file is the beginning of a frame, and shorter than that frame."""
    rest = len(data) - at
    if rest < _HEAD.size:
        return mark.startswith(data[at : at + MARK])
    return data.startswith(mark, at) and _HEAD.unpack_from(data, at)[1] > rest - _HEAD.size
