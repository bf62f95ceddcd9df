"""Reasoning and logprobs left out of an answer, whole or streamed, so that what is left is still valid for the SDKs.

Blocks of Anthropic's messages and items of OpenAI's responses are counted from 0, and clients store them by that count:
what follows a dropped one moves up.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from stillwatch.apps.gateway.apis.stripping import REASONING, get, is_thought, put, strip

LONGEST_EVENT = 16 << 20
EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
NUMBERED = (("index", "content_block"), ("output_index", "item"))  # the number of a block or item, and where it is
THINKING = ("thinking_delta", "signature_delta")
SEQUENCE = "sequence_number"


def drop_from_answer(body: bytes, drop: frozenset[str]) -> bytes:
    """Return the JSON of an answer without what is dropped. Raises ValueError for what is no JSON object."""
    held = json.loads(body)
    if not isinstance(held, dict):
        raise ValueError("the answer is no JSON object")
    return encode(strip(held, drop))


def encode(held: Any) -> bytes:
    """Return JSON; half a surrogate pair stays as it came."""
    return json.dumps(held, separators=(",", ":")).encode()


class Edit:
    """Events without what is dropped, one after another: parsed JSON, or the objects of a library."""

    def __init__(self, drop: frozenset[str]) -> None:
        self._drop = drop
        self._left: dict[str, set[int]] = {number: set() for number, _ in NUMBERED}
        self._skipped = 0  # events that had a number in the sequence

    def __call__(self, event: Any) -> Any:
        """Return an event as it may pass, changed in place; None where it may not."""
        at = get(event, SEQUENCE)
        if REASONING in self._drop and not self._renumber(event):
            self._skipped += at is not None
            return None
        if self._skipped and isinstance(at, int):
            put(event, SEQUENCE, at - self._skipped)
        return strip(event, self._drop)

    def _renumber(self, event: Any) -> bool:
        """Say whether an event may pass, and give its block or item the number that it then has."""
        if get(event, "choices") is not None:
            return True
        kind = get(event, "type")
        if str(getattr(kind, "value", kind)).startswith("response.reasoning"):
            return False
        if get(get(event, "delta"), "type") in THINKING:
            return False
        for number, holder in NUMBERED:
            at = get(event, number)
            if not isinstance(at, int):
                continue
            if is_thought(get(event, holder)):
                self._left[number].add(at)
            if at in self._left[number]:
                return False
            put(event, number, at - sum(each < at for each in self._left[number]))
        return True


class DroppingStream:
    """Server-sent events without what is dropped: give it pieces, it gives whole events."""

    def __init__(self, drop: frozenset[str]) -> None:
        self._held = b""
        self.edit = Edit(drop)

    def feed(self, chunk: bytes) -> bytes:
        """Return what may be sent on; an event that is not over waits."""
        self._held += chunk
        if len(self._held) > LONGEST_EVENT:
            raise ValueError("an event of the stream is too long to be altered")
        return b"".join(self._events())

    def rest(self) -> bytes:
        """Return what came after the last whole event, at the end; nothing of an event that was broken off."""
        held, self._held = self._held, b""
        try:
            return self._rewritten(held)
        except ValueError:
            return b""

    def _events(self) -> Iterator[bytes]:
        start = 0
        for end in EVENT_END.finditer(self._held):
            yield self._rewritten(self._held[start : end.end()])
            start = end.end()
        self._held = self._held[start:]

    def _rewritten(self, event: bytes) -> bytes:
        lines = event.splitlines()
        told = b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))
        if not told.startswith(b"{"):
            return event  # a comment, a ping, [DONE]
        said = json.loads(told)
        kept = self.edit(copy.deepcopy(said))
        if kept is None:
            return b""
        if kept == said:
            return event
        others = [line for line in lines if line and not line.startswith(b"data:")]
        return b"\n".join([*others, b"data: " + encode(kept), b"", b""])
