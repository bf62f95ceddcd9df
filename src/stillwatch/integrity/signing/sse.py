"""Server-sent events cut out of bytes, whole ones only, and a field put into the JSON of one."""

from __future__ import annotations

import re
from collections.abc import Iterator

EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")  # in any mixture: whoever reads on would miss an end that SDKs see
LONGEST_EVENT = 16 << 20


class TooLong(ValueError):
    """An event is longer than any that is read."""


class Events:
    """Gathers pieces and gives whole events, each with the empty line that ends it."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the events that are whole now."""
        held = self._held + chunk if self._held else chunk
        start = 0
        for end in EVENT_END.finditer(held):
            at = end.end()
            yield held[start:at]
            start = at
        self._held = held[start:]
        if len(self._held) > LONGEST_EVENT:
            raise TooLong("an event of the stream is too long")

    def is_one(self, chunk: bytes) -> bool:
        """Say whether a piece is one whole event, and nothing waits."""
        return not self._held and -1 < chunk.find(b"\n\n") == len(chunk) - 2 and b"\r" not in chunk

    def rest(self) -> bytes:
        """Return what came after the last whole event."""
        held, self._held = self._held, b""
        return held


def data_of(event: bytes) -> bytes:
    """Return the data of an event; of most it is one line."""
    at = 0 if event.startswith(b"data:") else event.find(b"\ndata:") + 1 if event.startswith(b"event:") else -1
    if at >= 0:
        line = event[at + 5 :].strip()
        if b"\n" not in line and b"\r" not in line and event.startswith(b"data:", at):
            return line
    return b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))


def name_of(event: bytes) -> bytes:
    """Return the name of an event, an empty one where it has none."""
    names = [line[6:].strip() for line in event.splitlines() if line.startswith(b"event:")]
    return names[-1] if names else b""


def with_field(json_text: bytes, name: str, value: bytes) -> bytes:
    """Return the JSON text of an object, or an event whose last line is one, with one more member; the rest as it was.

    Raises ValueError for a text that ends otherwise.
    """
    body = json_text.rstrip()
    if not body.endswith(b"}"):
        raise ValueError("the text does not end with an object")
    comma = b"" if body[:-1].rstrip().endswith(b"{") else b","
    return b"".join((body[:-1], comma, b'"', name.encode(), b'":', value, b"}", json_text[len(body) :]))
