"""Signs answers: a JSON answer gets its receipt as one more member, a stream on the event by which all is said.

Every other byte passes as it came.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from stillwatch.integrity.signing.asked import Asked, read_asked
from stillwatch.integrity.signing.canonical import canonical, encode
from stillwatch.integrity.signing.events import DONE, read_event
from stillwatch.integrity.signing.keys import KeyRing, SigningKey
from stillwatch.integrity.signing.quick import BROKEN, take
from stillwatch.integrity.signing.reading import CHAT, read_answer
from stillwatch.integrity.signing.record import FIELD, SPECIFIC, Receipt, Told, make_record, place_of
from stillwatch.integrity.signing.said import Said
from stillwatch.integrity.signing.sse import Events, TooLong, data_of, object_of, with_field
from stillwatch.model import StillwatchError

TYPE = "stillwatch-answer"
NONCE_BYTES = 16
LONGEST_ECHO = 128
Taken = Callable[[Receipt], None]  # gets each receipt that was given out
Failed = Callable[[StillwatchError], None]
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
MARK = FIELD.encode()
EMPTY = {"index": 0, "delta": {SPECIFIC: {"": 0}}, "finish_reason": None}  # "": where the receipt comes


@dataclass(frozen=True, slots=True)
class Question:
    """The request that an answer answers."""

    endpoint: str
    asked: Asked
    echo: str = ""
    choices: int = 1  # that a chat asks for


def read_question(endpoint: str, request: Mapping[str, Any], echo: str = "") -> Question:
    """Return what a request's JSON object asks of an endpoint; `echo` is the nonce that the client sent."""
    choices = request.get("n")
    return Question(
        endpoint, read_asked(endpoint, request), echo[:LONGEST_ECHO], choices if type(choices) is int else 1
    )


class Signer:
    """Signs with the ring's key of the moment. `ring` may be replaced while it runs."""

    def __init__(
        self,
        ring: KeyRing,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000,
        nonce: Callable[[], bytes] = lambda: secrets.token_bytes(NONCE_BYTES),
    ) -> None:
        """`now` gives µs since 1970. Raises UsageError where no key of the ring may sign."""
        self._now, self._nonce = now, nonce
        self._ready: tuple[SigningKey, Any, bytes] | None = None
        self._ring = ring
        self.key()

    @property
    def ring(self) -> KeyRing:
        """The keys."""
        return self._ring

    def replace(self, ring: KeyRing) -> None:
        """Take other keys from now on. Raises UsageError, and keeps the old ones, where none may sign."""
        ring.signer(self._now() // 1_000_000)
        self._ring, self._ready = ring, None

    def key(self) -> tuple[SigningKey, Any, bytes]:
        """Return the key of the moment, what signs with it, and the header of its signatures."""
        held = self._ring.signer(self._now() // 1_000_000)
        if self._ready is None or self._ready[0] is not held:
            header = {"alg": "Ed25519", "kid": held.public.kid, "typ": TYPE}
            self._ready = (held, held.private(), encode(canonical(header)).encode())
        return self._ready

    def receipt(self, question: Question, said: Said, stream: bool) -> Receipt:
        """Return the receipt of an answer."""
        key, private, header = self.key()
        told = Told(
            self._ring.issuer,
            key.public.kid,
            self._now(),
            encode(self._nonce()),
            question.endpoint,
            question.asked,
            stream,
            question.echo,
        )
        record = make_record(told, said)
        signature = private.sign(header + b"." + encode(canonical(record)).encode())
        return Receipt(record, f"{header.decode()}..{encode(signature)}")


def sign_answer(body: bytes, question: Question, signer: Signer, taken: Taken = lambda _: None) -> bytes:
    """Return the JSON of an answer with its receipt; as it came, where it is no object or holds a receipt already."""
    answer = _parsed(body)
    if not isinstance(answer, dict) or FIELD in answer:
        return body  # what another signed is worth more as it is
    said = Said(counts=False)
    read_answer(question.endpoint, answer, said)
    receipt = signer.receipt(question, said, stream=False)
    signed = with_field(body, FIELD, _written(receipt))
    taken(receipt)
    return signed


class SigningStream:
    """Signs one stream of server-sent events: give it pieces, it gives whole events."""

    def __init__(
        self, question: Question, signer: Signer, taken: Taken = lambda _: None, failed: Failed | None = None
    ) -> None:
        """`failed` is told when no key may sign any more, and the stream then passes unsigned; else that is raised."""
        self._question, self._signer, self._taken, self._failed = question, signer, taken, failed
        self._events, self._said = Events(), Said()
        self._over = False  # the receipt was given, or another one was there

    def feed(self, chunk: bytes) -> bytes:
        """Return what may be sent on; an event that is not whole waits."""
        if self._over:
            return self._events.rest() + chunk
        data = b"" if self._events.held else object_of(chunk)
        if data:  # most pieces are one event
            return chunk if take(data, self._said, self._question.endpoint) else self._signed(chunk)
        sent = []
        try:
            for event in self._events.feed(chunk):
                sent.append(self._quickly(event))
        except TooLong:
            self._over = True
            sent.append(self._events.rest())
        return b"".join(sent)

    def rest(self) -> bytes:
        """Return what came after the last whole event, at the end."""
        return self._events.rest()

    def _quickly(self, event: bytes) -> bytes:
        data = b"" if self._over else object_of(event)
        return event if data and take(data, self._said, self._question.endpoint) else self._signed(event)

    def _signed(self, event: bytes) -> bytes:
        data = data_of(event)
        if self._over or not data.startswith((b"{", b"[")):
            return event
        if data.startswith(DONE):
            return (self._before({}) if self._said.models else b"") + event
        told = _parsed(data)
        if not isinstance(told, dict):
            return event
        if MARK in data and FIELD in place_of(told):
            self._over = True
            return event
        carries = read_event(self._question.endpoint, told, self._said)
        if not carries or self._more_choices():
            return event
        return self._before(told) + event if self._question.endpoint == CHAT else self._carrying(event, data)

    def _more_choices(self) -> bool:
        return self._question.endpoint == CHAT and len(self._said.finish) < self._question.choices

    def _carrying(self, event: bytes, data: bytes) -> bytes:
        receipt = self._receipt()
        if receipt is None:
            return event
        at = event.rfind(b"}")
        if event[at:].strip() != b"}":  # other lines follow the data
            others = [line for line in event.splitlines() if line and not line.startswith(b"data:")]
            event, at = b"\n".join([*others, b"data: " + data.replace(b"\n", b" "), b"", b""]), -1
        return with_field(event, FIELD, receipt)

    def _before(self, told: Mapping[str, Any]) -> bytes:
        """A chunk of its own before the one that ends a chat: of that LiteLLM passes on only why it ends."""
        receipt = self._receipt()
        if receipt is None:
            return b""
        head = {name: told[name] for name in ("id", "object", "created", "model") if name in told}
        chunk = _encode({"object": "chat.completion.chunk", **head, "choices": [EMPTY]})
        return b"data: " + chunk.replace(b'"":0', b'"%s":%s' % (MARK, receipt)) + b"\n\n"

    def _receipt(self) -> bytes | None:
        self._over = True
        try:
            receipt = self._signer.receipt(self._question, self._said, stream=True)
        except StillwatchError as error:
            if self._failed is None:
                raise
            self._failed(error)
            return None
        self._taken(receipt)
        return _written(receipt)


def _written(receipt: Receipt) -> bytes:
    try:
        return _encode(receipt.told())
    except UnicodeEncodeError:  # half a surrogate pair, in a model's name
        return receipt.text()


def _parsed(text: bytes) -> Any:
    """JSON as the checker reads it; half surrogate pairs, which msgspec refuses, are read as SDKs read them."""
    try:
        return _decode(text)
    except BROKEN:
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
