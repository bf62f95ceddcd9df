"""What a decision changes: less output asked for, and reasoning or logprobs left out of the answer.

The client is told by a header; `refusing.altered` says what it reads.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from stillwatch.actions.decision import Effect
from stillwatch.apps.gateway.plugs.answers import Events, as_event, data_of
from stillwatch.apps.gateway.plugs.reading import as_object
from stillwatch.apps.gateway.plugs.stripping import get, is_thought, put, strip

LIMITS = {  # the fields that bound an answer, the one to set standing first
    "chat.completions": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
NUMBERED = (("index", "content_block"), ("output_index", "item"))  # the number of a block or item, and where it is


def lower(asked: Mapping[str, Any], endpoint: str, most: int) -> dict[str, Any]:
    """Return the request, asking for no more than `most` tokens."""
    fields = LIMITS.get(endpoint, ())
    given = [name for name in fields if isinstance(asked.get(name), int)]
    names = given or list(fields[:1])
    return {**asked, **{name: min(asked.get(name) or most, most) for name in names}}


def altered_request(body: bytes, endpoint: str, effect: Effect) -> bytes:
    """Return the body of a request as the decision wants it; the same bytes where it wants nothing of it."""
    if effect.max_output_tokens is None or endpoint not in LIMITS:
        return body
    held = as_object(body)
    lowered = lower(held, endpoint, effect.max_output_tokens) if held else held
    return body if lowered == held else json.dumps(lowered).encode()


def altered_answer(body: bytes, drop: frozenset[str]) -> bytes:
    """Return the JSON body of an answer without what is dropped; what is no object stays as it is."""
    held = as_object(body) if drop else {}
    return json.dumps(strip(held, drop), ensure_ascii=False).encode() if held else body


class EventFilter:
    """Leaves what is dropped out of a stream of events. Blocks that stay are numbered anew, so that SDKs find them."""

    def __init__(self, drop: frozenset[str]) -> None:
        self._drop = drop
        self._events = Events()
        self._left: dict[str, set[int]] = {number: set() for number, _ in NUMBERED}

    def feed(self, chunk: Any) -> Any:
        """Return what may pass now, of bytes or of an object that stands for one event; None where nothing may."""
        if not self._drop:
            return chunk
        if isinstance(chunk, bytes):
            return b"".join(self._pass(event) for event in self._events.feed(chunk))
        return strip(chunk, self._drop) if self._renumber(chunk) else None

    def rest(self) -> bytes:
        """Return what is left at the end."""
        return self._events.rest()

    def _pass(self, event: bytes) -> bytes:
        said = data_of(event)
        made = copy.deepcopy(said)
        if not self._renumber(made):
            return b""
        return event if strip(made, self._drop) == said else as_event(event, made)

    def _renumber(self, said: Any) -> bool:
        """Say whether an event may pass, and give it the number that it then has."""
        if "reasoning" not in self._drop or get(said, "choices") is not None:
            return True
        kind = get(said, "type")
        if str(getattr(kind, "value", kind)).startswith("response.reasoning"):
            return False
        for number, holder in NUMBERED:
            at = get(said, number)
            if not isinstance(at, int):
                continue
            if is_thought(get(said, holder)):
                self._left[number].add(at)
            if at in self._left[number]:
                return False
            put(said, number, at - sum(each < at for each in self._left[number]))
        return True
