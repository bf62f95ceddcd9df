"""The one seam at which an answer is altered: any number of steps, one after another, in one pass, whole or streamed.

What no step changes keeps its bytes. Steps come in the order in which they are done, so that one that signs stands last
and sees what is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from stillwatch.apps.gateway.apis.stripping import get, put

LONGEST_EVENT = 16 << 20
EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
SEQUENCE = "sequence_number"  # which counts the events of a response
DONE = b"[DONE]"
ALIVE = b": held back\n\n"  # a comment, which clients pass over: nothing between them and us falls silent


class Step(Protocol):
    """One alteration of one answer, made afresh for each. It gets parsed JSON, or the objects of a library."""

    marks: tuple[bytes, ...]  # it concerns only an answer or event that holds one of these words; none: all do

    def whole(self, answer: Any) -> Any:
        """Return an answer in one piece as it may pass; it may be changed in place."""

    def event(self, event: Any) -> Iterable[Any]:
        """Return what is sent in place of an event of a stream: the event, nothing, or several."""

    def end(self) -> Iterable[Any]:
        """Return what was held back, where the stream ends, before `[DONE]`; asked once."""

    @property
    def holding(self) -> bool:
        """Whether something is held back now, of which the client will get something later."""


Steps = Sequence[Step]


def alter_answer(body: bytes, steps: Steps) -> bytes:
    """Return the JSON of an answer as it may pass. Raises ValueError for what is no JSON object."""
    if not _concerned(body, steps):
        return body
    held = json.loads(body)
    if not isinstance(held, dict):
        raise ValueError("the answer is no JSON object")
    for step in steps:
        held = step.whole(held)
    return body if held == json.loads(body) else encode(held)


def encode(held: Any) -> bytes:
    """Return JSON; half a surrogate pair stays as it came."""
    return json.dumps(held, separators=(",", ":")).encode()


class Events:
    """Events through all steps, parsed or as objects of a library. Those of a response are numbered anew."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self._ended = False
        self.shift = 0  # by how much the numbers of a response's events differ from the upstream's

    def __call__(self, event: Any) -> list[Any]:
        """Return what is sent in place of an event, which may be changed in place."""
        at = get(event, SEQUENCE)
        made = self._through([event], 0)
        if isinstance(at, int):
            for place, each in enumerate(made):
                if get(each, SEQUENCE) != at + self.shift + place:
                    put(each, SEQUENCE, at + self.shift + place)
            self.shift += len(made) - 1
        return made

    def end(self) -> list[Any]:
        """Return what was held back, at the end; asked again, nothing."""
        if self._ended:
            return []
        self._ended = True
        return [each for at, step in enumerate(self.steps) for each in self._through(list(step.end()), at + 1)]

    @property
    def holding(self) -> bool:
        """Whether a step holds something back."""
        return any(step.holding for step in self.steps)

    def _through(self, events: list[Any], first: int) -> list[Any]:
        for step in self.steps[first:]:
            events = [made for each in events for made in step.event(each)]
        return events


class AlteredStream:
    """Server-sent events as they may pass: give it pieces, it gives whole events."""

    def __init__(self, steps: Steps) -> None:
        self._held = b""
        self.events = Events(steps)

    def feed(self, chunk: bytes) -> bytes:
        """Return what may be sent on; an event that is not over waits. Raises ValueError for what cannot be read."""
        self._held += chunk
        if len(self._held) > LONGEST_EVENT:
            raise ValueError("an event of the stream is too long to be altered")
        return b"".join(self._whole_events())

    def rest(self) -> bytes:
        """Return what came after the last whole event, at the end; nothing of an event that was broken off."""
        held, self._held = self._held, b""
        try:
            last = self._rewritten(held)
        except ValueError:
            last = b""
        return last + b"".join(_framed(each, [], named=False) for each in self.events.end())

    def _whole_events(self) -> Iterator[bytes]:
        start = 0
        for end in EVENT_END.finditer(self._held):
            yield self._rewritten(self._held[start : end.end()])
            start = end.end()
        self._held = self._held[start:]

    def _rewritten(self, event: bytes) -> bytes:
        lines = event.splitlines()
        told = b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))
        if told == DONE:
            return b"".join(_framed(each, [], named=False) for each in self.events.end()) + event
        if not told.startswith(b"{"):  # a comment, a ping
            return event
        if not self.events.shift and not self.events.holding and not _concerned(told, self.events.steps):
            return event
        kept = self.events(json.loads(told))
        if kept == [json.loads(told)]:
            return event
        named = any(line.startswith(b"event:") for line in lines)
        others = [line for line in lines if line and not line.startswith((b"data:", b"event:"))]
        made = b"".join(_framed(each, [] if at else others, named) for at, each in enumerate(kept))
        return made or (ALIVE if self.events.holding else b"")


def _framed(event: Any, others: list[bytes], named: bool) -> bytes:
    kind = event.get("type") if isinstance(event, dict) else None
    names = [b"event: " + kind.encode()] if named and isinstance(kind, str) else []
    return b"\n".join([*names, *others, b"data: " + encode(event), b"", b""])


def _concerned(text: bytes, steps: Steps) -> bool:
    return any(not step.marks or any(mark in text for mark in step.marks) for step in steps)
