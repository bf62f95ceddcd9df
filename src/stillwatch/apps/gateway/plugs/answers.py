"""How an exchange ended, read from the bytes of its answer: a JSON body, or server-sent events as they pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from stillwatch.apps.gateway.plugs.reading import as_object
from stillwatch.apps.gateway.seams import Outcome
from stillwatch.ingest.adapters.base import OTHER_SHAPE, hash_handle
from stillwatch.ingest.adapters.conversation import handles_in, read_answer

MOST = 32 << 20  # bytes of an answer that are read; more pass unread
BREAKS = (b"\r\n\r\n", b"\n\n", b"\r\r")


class Answer(Protocol):
    """Takes an answer as it passes, and says at its end what it held."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def outcome(self, status: int) -> Outcome:
        """Return how the exchange ended."""


def answer_of(content_type: str) -> Answer:
    """Return what reads an answer of this type."""
    return EventAnswer() if content_type.startswith("text/event-stream") else BodyAnswer()


class BodyAnswer:
    """An answer in one body."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if len(self._held) <= MOST:
            self._held += chunk

    def outcome(self, status: int) -> Outcome:
        """Return what the body says."""
        return outcome_of(status, as_object(bytes(self._held)))


class Events:
    """Cuts a stream into events, wherever its chunks end."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield each event that is whole now, with the empty line that ends it."""
        self._held += chunk
        while (end := _end_of_event(self._held)) is not None:
            event, self._held = self._held[:end], self._held[end:]
            yield event

    def rest(self) -> bytes:
        """Return what came after the last whole event."""
        rest, self._held = self._held, b""
        return rest


def _end_of_event(held: bytes) -> int | None:
    ends = [at + len(each) for each in BREAKS if (at := held.find(each)) >= 0]
    return min(ends, default=None)


def data_of(event: bytes) -> dict[str, Any]:
    """Return the object that an event carries; an empty one for `[DONE]` and for comments."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return as_object(b"\n".join(lines)) if lines else {}


class EventAnswer:
    """An answer in server-sent events: of chat completions, responses or messages."""

    def __init__(self) -> None:
        self._events = Events()
        self._texts: list[str] = []
        self._usage: dict[str, Any] = {}
        self._handles: list[str] = []
        self._whole: dict[str, Any] = {}
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._size += len(chunk)
        if self._size <= MOST:
            for event in self._events.feed(chunk):
                self._take(data_of(event))

    def outcome(self, status: int) -> Outcome:
        """Return what the events said together."""
        self._take(data_of(self._events.rest()))
        if self._whole:
            return outcome_of(status, self._whole)
        said = outcome_of(status, {"usage": self._usage})
        handles = tuple(hash_handle(each) for each in dict.fromkeys(self._handles))
        return Outcome(status, said.input_tokens, said.output_tokens, handles, "".join(self._texts) or None)

    def _take(self, said: dict[str, Any]) -> None:
        inner = said.get("response")
        if isinstance(inner, dict) and inner.get("output"):  # the last event of a response repeats all of it
            self._whole = inner
        message = said.get("message")
        for holder in (said, message if isinstance(message, dict) else {}):
            if isinstance(usage := holder.get("usage"), dict):
                self._usage |= {name: value for name, value in usage.items() if value is not None}
        self._handles += [each for each in handles_in([said.get("content_block"), said.get("item")]) if each]
        if said.get("type") == "response.output_text.delta" and isinstance(said.get("delta"), str):
            self._texts.append(said["delta"])
        choices = said.get("choices")
        for delta in (said.get("delta"), *(_delta(each) for each in (choices if isinstance(choices, list) else ()))):
            self._take_delta(delta)

    def _take_delta(self, delta: Any) -> None:
        if isinstance(delta, dict):
            text = delta.get("text") if delta.get("type") == "text_delta" else delta.get("content")
            self._texts += [text] if isinstance(text, str) else []
            signed = delta.get("signature")
            self._handles += [signed] if isinstance(signed, str) and signed else []


def _delta(choice: Any) -> Any:
    return choice.get("delta") if isinstance(choice, dict) else None


def outcome_of(status: int, body: dict[str, Any]) -> Outcome:
    """Return what the body of an answer says."""
    try:
        row = read_answer(body)
    except OTHER_SHAPE:
        row = {}
    text = row.get("response")
    return Outcome(
        status=status,
        input_tokens=_count(row.get("input_tokens")),
        output_tokens=_count(row.get("output_tokens")),
        artefacts_out=tuple(row.get("artefacts_out") or ()),
        response=text if isinstance(text, str) else None,
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def as_event(event: bytes, data: dict[str, Any]) -> bytes:
    """Return an event with other data, its other lines as they were."""
    kept = [line for line in event.splitlines() if line and not line.startswith(b"data:")]
    return b"\n".join([*kept, b"data: " + json.dumps(data, ensure_ascii=False).encode(), b"", b""])
