"""Reasoning and logprobs left out of an answer, whole or streamed, so that what is left is still valid for the SDKs.

Blocks of Anthropic's messages and items of OpenAI's responses are counted from 0, and clients store them by that count:
what follows a dropped one moves up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from stillwatch.apps.gateway.apis.endpoints import CHAT, MESSAGES, RESPONSES, Endpoint

REASONING, LOGPROBS = "reasoning", "logprobs"
THOUGHTS = ("thinking", "redacted_thinking")
CHAT_THOUGHTS = ("reasoning", "reasoning_content", "reasoning_details")  # as servers beside OpenAI's name them
LONGEST_EVENT = 16 << 20
EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode
Event = dict[str, Any]
Edit = Callable[[Event], Event | None]


def drop_from_answer(body: bytes, endpoint: Endpoint, drop: frozenset[str]) -> bytes:
    """Return the JSON of an answer without what is dropped. Raises ValueError for what is no JSON object."""
    held = decode(body)
    if not isinstance(held, dict):
        raise ValueError("the answer is no JSON object")
    if endpoint is MESSAGES:
        _strip_message(held, drop)
    elif endpoint is CHAT:
        _strip_choices(held, drop)
    elif endpoint is RESPONSES:
        _strip_response(held, drop)
    return encode(held)


class DroppingStream:
    """Server-sent events without what is dropped: give it pieces, it gives whole events."""

    def __init__(self, endpoint: Endpoint, drop: frozenset[str]) -> None:
        self._held = b""
        edits: dict[Endpoint, Callable[[frozenset[str]], Edit]]
        edits = {CHAT: _ChatEdit, RESPONSES: _ResponsesEdit, MESSAGES: _MessagesEdit}
        self._edit = edits[endpoint](drop)

    def feed(self, chunk: bytes) -> bytes:
        """Return what may be sent on; an event that is not over waits."""
        self._held += chunk
        if len(self._held) > LONGEST_EVENT:
            raise ValueError("an event of the stream is too long to be altered")
        return b"".join(self._events())

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
        kept = self._edit(decode(told))
        if kept is None:
            return b""
        others = [line for line in lines if line and not line.startswith(b"data:")]
        return b"\n".join([*others, b"data: " + encode(kept), b"", b""])


class _ChatEdit:
    def __init__(self, drop: frozenset[str]) -> None:
        self._drop = drop

    def __call__(self, event: Event) -> Event:
        _strip_choices(event, self._drop)
        return event


class _MessagesEdit:
    """Blocks of thought go; later blocks move up."""

    def __init__(self, drop: frozenset[str]) -> None:
        self._reasoning = REASONING in drop
        self._places: dict[int, int | None] = {}  # place upstream → place downstream, None where dropped

    def __call__(self, event: Event) -> Event | None:
        if not self._reasoning:
            return event
        if event.get("type") == "content_block_start":
            dropped = event["content_block"].get("type") in THOUGHTS
            kept = sum(place is not None for place in self._places.values())
            self._places[event["index"]] = None if dropped else kept
        if "index" in event:
            place = self._places.get(event["index"])
            return None if place is None else {**event, "index": place}
        return event


class _ResponsesEdit:
    """Items of reasoning go; later items move up, and events are counted anew."""

    def __init__(self, drop: frozenset[str]) -> None:
        self._drop = drop
        self._places: dict[int, int | None] = {}
        self._told = 0

    def __call__(self, event: Event) -> Event | None:
        kept = self._placed(event) if REASONING in self._drop else event
        if kept is None:
            return None
        for name in ("response", "item", "part"):
            if isinstance(kept.get(name), dict):
                _strip_response(kept[name], self._drop)
        if LOGPROBS in self._drop and "logprobs" in kept:
            kept["logprobs"] = []
        if "sequence_number" in kept:
            kept["sequence_number"], self._told = self._told, self._told + 1
        return kept

    def _placed(self, event: Event) -> Event | None:
        if event.get("type") == "response.output_item.added":
            kept = sum(place is not None for place in self._places.values())
            self._places[event["output_index"]] = None if event["item"].get("type") == "reasoning" else kept
        if str(event.get("type", "")).startswith("response.reasoning"):
            return None
        if "output_index" in event:
            place = self._places.get(event["output_index"])
            return None if place is None else {**event, "output_index": place}
        return event


def _strip_message(held: Event, drop: frozenset[str]) -> None:
    if REASONING in drop and isinstance(held.get("content"), list):
        held["content"] = [each for each in held["content"] if _type(each) not in THOUGHTS]


def _strip_choices(held: Event, drop: frozenset[str]) -> None:
    for choice in held.get("choices") or ():
        if LOGPROBS in drop and choice.get("logprobs") is not None:
            choice["logprobs"] = None
        for said in (choice.get("message"), choice.get("delta")) if REASONING in drop else ():
            for name in CHAT_THOUGHTS:
                if isinstance(said, dict):
                    said.pop(name, None)


def _strip_response(held: Event, drop: frozenset[str]) -> None:
    """Of a response, an item or a part: they nest under `output` and `content`."""
    if REASONING in drop and isinstance(held.get("output"), list):
        held["output"] = [each for each in held["output"] if _type(each) != "reasoning"]
    if LOGPROBS in drop and "logprobs" in held:
        held["logprobs"] = []
    for name in ("output", "content"):
        for each in held.get(name) or () if isinstance(held.get(name), list) else ():
            if isinstance(each, dict):
                _strip_response(each, drop)


def _type(block: Any) -> Any:
    return block.get("type") if isinstance(block, dict) else None
