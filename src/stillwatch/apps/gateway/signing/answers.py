"""Signs the answers of one process: the receipt in the body, the signature of the head, and the receipt for the ledger.

An answer that cannot be signed passes unsigned, which its client sees; it is told in the log and by readiness.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from stillwatch.apps.gateway.apis.endpoints import POSTED
from stillwatch.apps.gateway.apis.errors import JSON, Answer
from stillwatch.apps.gateway.exchange import logger
from stillwatch.apps.gateway.parts import Watched
from stillwatch.apps.gateway.registers import stamp
from stillwatch.integrity.signing.client import NONCE
from stillwatch.integrity.signing.headers import Hop, holds, sign_head
from stillwatch.integrity.signing.keys import WELL_KNOWN, read_ring
from stillwatch.integrity.signing.record import Receipt
from stillwatch.integrity.signing.signer import Question, Signer, SigningStream, read_question, sign_answer
from stillwatch.model import StillwatchError

PATHS = {endpoint.name: path for path, endpoint in POSTED.items()}
MAX_AGE = 300  # seconds that published keys may be kept
Head = list[tuple[bytes, bytes]]


class Keeps(Protocol):
    """Keeps receipts until the ledger has them."""

    def keep(self, receipt: Receipt) -> None:
        """Take a receipt that was given out."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A request, and what of its head is signed."""

    question: Question
    path: str
    digest: str = ""  # its content-digest, where it has one that holds


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """An answer with its receipt, and the fields that sign its head."""

    body: bytes
    head: Head


@dataclass(frozen=True, slots=True)
class SignedStream:
    """A stream that is signed on its way, and the fields that sign its head."""

    events: SigningStream
    head: Head


class AnswerSigning:
    """What signs in one process."""

    def __init__(
        self,
        keys: Path,
        headers: bool = True,
        receipts: Keeps | None = None,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """`keys` is the file of `stillwatch answer-keys`. Raises InputRefused or UsageError where none may sign."""
        self._path, self._headers, self._receipts, self._now = keys, headers, receipts, now
        self.signer = Signer(read_ring(keys), now)
        self.published_at = WELL_KNOWN
        self.watched = (Watched("answer keys", lambda: stamp(keys), lambda: self.signer.replace(read_ring(keys))),)
        self.checks: Mapping[str, Callable[[], str]] = {"answer keys": self._ready}

    def question(self, endpoint: str, asked: Mapping[str, Any], headers: Mapping[str, str], body: Any) -> Asking:
        """Return what is asked. `headers` knows names in lower case."""
        digest = headers.get("content-digest", "")
        held = digest if digest and isinstance(body, bytes) and holds(digest, body) else ""
        return Asking(read_question(endpoint, asked, headers.get(NONCE, "")), PATHS[endpoint], held)

    def whole(self, body: bytes, asking: Asking, content_type: str) -> SignedAnswer | None:
        """Return an answer in JSON with its receipt; None where it passes as it is."""
        taken: list[Receipt] = []
        try:
            signed = sign_answer(body, asking.question, self.signer, taken.append)
            head = self._head(asking, content_type, signed)
        except StillwatchError as error:
            _tell(error)
            return None
        if not taken and not head:
            return None
        for receipt in taken:
            self._keep(receipt)
        return SignedAnswer(signed, head)

    def stored(self, body: bytes, method: str, path: str, content_type: str) -> SignedAnswer | None:
        """Return a stored response, whose head alone is signed: the request to which it answers is not here."""
        try:
            head = self._signed_head(Hop(200, content_type, method, path), body)
        except StillwatchError as error:
            _tell(error)
            return None
        return SignedAnswer(body, head) if head else None

    def stream(self, asking: Asking, content_type: str) -> SignedStream | None:
        """Return what signs a stream; None where no key may sign."""
        try:
            head = self._head(asking, content_type, None)
            return SignedStream(SigningStream(asking.question, self.signer, self._keep, _tell), head)
        except StillwatchError as error:
            _tell(error)
            return None

    def published(self) -> Answer:
        """Return the keys as everyone gets them."""
        body = json.dumps(self.signer.ring.public().jwks()).encode()
        length = (b"content-length", b"%d" % len(body))
        return Answer(200, (JSON, length, (b"cache-control", b"public, max-age=%d" % MAX_AGE)), body)

    def _head(self, asking: Asking, content_type: str, body: bytes | None) -> Head:
        return self._signed_head(Hop(200, content_type, "POST", asking.path, asking.digest), body)

    def _signed_head(self, hop: Hop, body: bytes | None) -> Head:
        if not self._headers or not hop.content_type.isascii():
            return []
        return [(name.encode(), value.encode()) for name, value in sign_head(hop, body, self.signer, self._now())]

    def _keep(self, receipt: Receipt) -> None:
        if self._receipts is not None:
            self._receipts.keep(receipt)

    def _ready(self) -> str:
        try:
            self.signer.key()
        except StillwatchError as error:
            return str(error)
        return ""


def _tell(error: StillwatchError) -> None:
    logger.error("answer-not-signed", extra={"kind": type(error).__name__, "why": str(error)})
