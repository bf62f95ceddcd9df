"""What a decision changes: less output asked for, and reasoning or logprobs left out of the answer.

The client is told by a header; `refusing.altered` says what it reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stillwatch.actions.decision import Effect
from stillwatch.apps.gateway.plugs.answers import Events, as_event, data_of
from stillwatch.apps.gateway.plugs.reading import as_object

LIMITS = {  # the field that bounds an answer, the one to set standing first
    "chat.completions": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
REASONING = ("reasoning", "reasoning_content", "reasoning_details", "thinking_blocks")  # of a message or its delta
THOUGHTS = ("thinking", "redacted_thinking", "reasoning")  # types of blocks and items


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


def without(answer: Any, drop: frozenset[str]) -> Any:
    """Return an answer's body, or any part of it, without what is dropped."""
    if isinstance(answer, list):
        return [without(each, drop) for each in answer if not (_is_thought(each) and "reasoning" in drop)]
    if not isinstance(answer, dict):
        return answer
    kept = dict(answer)
    if "reasoning" in drop:
        for name in REASONING:
            if name != "reasoning" or "content" in kept or "role" in kept:  # a response's own `reasoning` is a setting
                kept.pop(name, None)
    if "logprobs" in drop and "logprobs" in kept:
        kept["logprobs"] = [] if isinstance(kept["logprobs"], list) else None
    for name in ("choices", "message", "delta", "content", "output", "response"):
        if isinstance(kept.get(name), list | dict):
            kept[name] = without(kept[name], drop)
    return kept


def _is_thought(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") in THOUGHTS


def altered_answer(body: bytes, drop: frozenset[str]) -> bytes:
    """Return the JSON body of an answer without what is dropped; what is no object stays as it is."""
    held = as_object(body)
    return json.dumps(without(held, drop), ensure_ascii=False).encode() if held and drop else body


class EventFilter:
    """Leaves what is dropped out of a stream of events. Blocks that stay are numbered anew, so that SDKs find them."""

    def __init__(self, drop: frozenset[str]) -> None:
        self._drop = drop
        self._events = Events()
        self._left: dict[str, set[int]] = {"index": set(), "output_index": set()}

    def feed(self, chunk: bytes) -> bytes:
        """Return what of the stream may pass now."""
        if not self._drop:
            return chunk
        return b"".join(self._pass(event) for event in self._events.feed(chunk))

    def rest(self) -> bytes:
        """Return what is left at the end."""
        return self._events.rest()

    def _pass(self, event: bytes) -> bytes:
        said = data_of(event)
        if not said:
            return event
        made = self.alter(said)
        return b"" if made is None else event if made == said else as_event(event, made)

    def alter(self, said: dict[str, Any]) -> dict[str, Any] | None:
        """Return the data of an event as it may pass; None where it may not."""
        kind = str(said.get("type", ""))
        if "reasoning" in self._drop:
            if kind.startswith("response.reasoning"):
                return None
            for name, holder in (("index", "content_block"), ("output_index", "item")):
                if "choices" in said or not isinstance(at := said.get(name), int):
                    continue
                if _is_thought(said.get(holder)):
                    self._left[name].add(at)
                if at in self._left[name]:
                    return None
                said = {**said, name: at - sum(each < at for each in self._left[name])}
        made: dict[str, Any] = without(said, self._drop)
        return made
