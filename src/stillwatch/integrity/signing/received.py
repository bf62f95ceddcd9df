"""An answer as it was received, read once: JSON, or a stream of events as far as it came.

It is read strictly. A name that stands twice in an object means different things to different programs, so such an
answer is unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from stillwatch.integrity.signing.events import DONE, read_event
from stillwatch.integrity.signing.reading import MESSAGES, endpoint_of, read_answer
from stillwatch.integrity.signing.record import FIELD, Receipt, place_of, read_receipt
from stillwatch.integrity.signing.said import Said, Summary
from stillwatch.integrity.signing.sse import Events, TooLong, data_of, name_of

UNREAD = "an event or the answer is no JSON object of an API that is known"


class Received:
    """What came. `endpoint` is found in it unless it is told."""

    def __init__(self, stream: bool, endpoint: str | None = None) -> None:
        self.stream, self.endpoint = stream, endpoint
        self.said = Said(counts=stream)
        self.broken, self.cut = "", False
        self.receipt: Receipt | None = None
        self._events = Events()
        self._summary: Summary | None = None

    @property
    def summary(self) -> Summary:
        """The digests of what came; nothing may be added after it."""
        if self._summary is None:
            self._summary = self.said.summary()
        return self._summary

    @property
    def over(self) -> bool:
        """Whether the last event of a stream came."""
        return self.said.ended

    def feed(self, chunk: bytes) -> None:
        """Take a piece of a stream."""
        try:
            for event in self._events.feed(chunk):
                self._take(event)
        except TooLong:
            self.broken = "an event of the stream is too long"

    def end(self) -> None:
        """The stream is over; an event without its empty line counts, as SDKs count it."""
        rest = self._events.rest()
        if rest.strip():
            self._take(rest, last=True)

    def _take(self, event: bytes, last: bool = False) -> None:
        data = data_of(event)
        if not data:
            return
        if data.startswith(DONE):
            self.said.ended = True
            return
        told = _strictly(data)
        if not isinstance(told, dict):
            self.broken, self.cut = self.broken or UNREAD, last
            return
        self._read(told, lambda endpoint: read_event(endpoint, told, self.said))
        if self.endpoint == MESSAGES and name_of(event).decode("utf-8", "replace") != told.get("type"):
            self.broken = "an event's name is not its type, and SDKs heed the name"

    def whole(self, body: bytes) -> None:
        """Take an answer in JSON."""
        told = _strictly(body)
        if not isinstance(told, dict):
            self.broken, self.cut = UNREAD, _ends_early(body)
            return
        self._read(told, lambda endpoint: read_answer(endpoint, told, self.said))

    def _read(self, told: dict[str, Any], read: Any) -> None:
        self.endpoint = self.endpoint or _signed_endpoint(told) or endpoint_of(told)
        place = place_of(told)
        if FIELD in place:
            found = read_receipt(place[FIELD])
            if self.receipt is not None or found is None:
                self.broken = "what stands in the place of the receipt is none, or there are two"
            self.receipt = found
        if self.endpoint is not None:
            read(self.endpoint)
        elif not self.stream:
            self.broken = UNREAD


def receive(body: bytes, endpoint: str | None = None) -> Received:
    """Return an answer that was kept: JSON, or the events of a stream."""
    start = body.lstrip()[:1]
    received = Received(start not in (b"{", b"["), endpoint)
    if received.stream:
        received.feed(body)
        received.end()
    else:
        received.whole(body)
    return received


def _signed_endpoint(told: dict[str, Any]) -> str | None:
    receipt = read_receipt(place_of(told).get(FIELD))
    found = receipt.record.get("endpoint") if receipt is not None else None
    return found if found in ("chat.completions", "responses", "messages") else None


def _strictly(text: bytes) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    listed = list(pairs)
    made = dict(listed)
    if len(made) < len(listed):
        raise ValueError("a name stands twice")
    return made


def _ends_early(body: bytes) -> bool:
    """Whether an object has begun and does not end: cut in a letter or an escape, it fails before its end."""
    if body.lstrip().startswith(b"{") and not body.rstrip().endswith(b"}"):
        return True
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        return error.pos >= len(body.decode("utf-8", "replace").rstrip()) or "Unterminated" in error.msg
    except (ValueError, RecursionError):
        return False
    return False
