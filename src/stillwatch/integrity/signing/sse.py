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
        self.held = b""  # the event that is not whole yet

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the events that are whole now."""
        held = self.held + chunk if self.held else chunk
        if b"\r" not in held:  # then there is one way to end an event
            *whole, self.held = held.split(b"\n\n")
            for event in whole:
                yield event + b"\n\n"
        else:
            start = 0
            for end in EVENT_END.finditer(held):
                at = end.end()
                yield held[start:at]
                start = at
            self.held = held[start:]
        if len(self.held) > LONGEST_EVENT:
            raise TooLong("an event of the stream is too long")

    def rest(self) -> bytes:
        """Return what came after the last whole event."""
        held, self.held = self.held, b""
        return held


def object_of(event: bytes) -> bytes:
    """Return the data of what is one whole event with one line of data, an object's; nothing of anything else.

    It may have a name before its data. Its lines are looked for once: that is most of what reading one costs.
    """
    lines = event.splitlines()
    if len(lines) == 2:
        data = lines[0]
    elif len(lines) == 3 and lines[0][:6] == b"event:":
        data = lines[1]
    else:
        return b""
    return data[6:] if data[:7] == b"data: {" and not lines[-1] else b""


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
