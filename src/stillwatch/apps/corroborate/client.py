"""The asking side over HTTP: one comparison with one partner, for one family of indicators."""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from stillwatch.apps.corroborate.config import AskedRow, read_token
from stillwatch.model import StillwatchError
from stillwatch.sharing.ledgers import Append
from stillwatch.sharing.private import run
from stillwatch.sharing.private.group import POINT, ExchangeRefused
from stillwatch.sharing.private.messages import HELLO_BYTES, read_welcome
from stillwatch.sharing.private.own_set import CAP, STEP, padded, prepare

PATIENCE = 600.0  # seconds for one step: masking 100,000 elements takes a while on a busy machine
POLL = 2.0  # seconds between questions whether the partner has consented


class PartnerFailed(StillwatchError):
    """A partner could not be asked, or refused; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every partner: a family's elements, and whether this side consents to a reveal."""

    family: str
    elements: tuple[bytes, ...]
    reveal: bool = False
    wait: float = 0.0  # seconds to wait for the partner's consent
    cap: int = CAP
    step: int = STEP
    secret: bytes = field(default=b"", repr=False)  # keys the own commitment


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one comparison told: how many, and once both consented which of the own elements."""

    partner: str
    family: str
    count: int
    revealed: tuple[bytes, ...] | None
    sent: int  # bytes
    received: int  # bytes
    note: str = ""


class Wire:
    """A partner's server: one connection, a token, bounded answers."""

    def __init__(self, name: str, row: AskedRow) -> None:
        parts = urlsplit(row.url)
        self.name, self.path = name, parts.path.rstrip("/")
        self._headers = {"authorization": f"Bearer {read_token(row.token_file)}"}
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            trust = ssl.create_default_context(cafile=row.certificate_authority and str(row.certificate_authority))
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=PATIENCE, context=trust
            )
        else:
            self._http = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        self.sent = self.received = 0

    def post(self, path: str, body: bytes, most: int) -> tuple[int, bytes]:
        """Send a message and return the status and the answer. Raises PartnerFailed for a refusal."""
        try:
            self._http.request("POST", f"{self.path}/v1/sessions{path}", body, self._headers)
            answer = self._http.getresponse()
            data = answer.read(most + 1)
            status = answer.status
        except (OSError, http.client.HTTPException) as error:
            raise PartnerFailed(
                f"{self.name}: cannot be reached ({type(error).__name__}); is its server up?"
            ) from error
        self.sent, self.received = self.sent + len(body), self.received + len(data)
        if status >= 400:
            raise PartnerFailed(f"{self.name}: refused with {status}: {_reason(data)}")
        if len(data) > most:
            raise PartnerFailed(f"{self.name}: answered with more than {most:,} bytes")
        return status, data

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def ask(
    name: str, row: AskedRow, question: Question, append: Append, sleep: Callable[[float], None] = time.sleep
) -> Outcome:
    """Compare a family's elements with one partner's. Raises PartnerFailed with the partner's name and the reason."""
    wire = Wire(name, row)
    try:
        return _ask(wire, question, append, sleep)
    except ExchangeRefused as error:
        raise PartnerFailed(f"{name}: {error}") from error
    finally:
        wire.close()


def _ask(wire: Wire, question: Question, append: Append, sleep: Callable[[float], None]) -> Outcome:
    mark = secrets.token_hex(16)  # what the salt is made from: with the secret, the set can be shown later
    salt = hmac.digest(question.secret, mark.encode(), "sha256")
    asking = run.greet(prepare(question.elements, salt, question.step, question.cap), question.family)
    body = {"partner": wire.name, "family": question.family, "own_size": asking.own.size, "mark": mark}
    append("psi-asking", asking.hello.nonce, body | {"own_commitment": asking.own.commitment.hex()})
    _, told = wire.post("", asking.hello.to_bytes(), HELLO_BYTES)
    reply = read_welcome(told, question.cap, question.step)
    sent = run.send(asking, reply)
    session, largest = reply.session, padded(question.cap, question.step) * POINT
    _, answer = wire.post(f"/{session}/masked", sent.masked, (asking.own.size + reply.size) * POINT)
    counted, last = run.count(sent, answer)
    _, told = wire.post(f"/{session}/doubled", last, HELLO_BYTES)
    tells = _check_count(told, counted.count)
    append("psi-counted", session, {"partner": wire.name, "count": counted.count})
    revealed, note = None, ""
    if question.reveal and not tells:
        note = f"{wire.name} tells how many, not which"
    elif question.reveal and counted.count:
        revealed, note = _reveal(wire, session, counted, question, sleep, largest)
        if revealed is not None:
            append("psi-revealed", session, {"partner": wire.name, "count": counted.count})
    return Outcome(wire.name, question.family, counted.count, revealed, wire.sent, wire.received, note)


def _reveal(
    wire: Wire, session: str, counted: run.Counted, question: Question, sleep: Callable[[float], None], most: int
) -> tuple[tuple[bytes, ...] | None, str]:
    """Exchange which. The partner is asked for its consent first: nothing of which is told before it is there."""
    waited = 0.0
    while True:
        try:
            status, _ = wire.post(f"/{session}/consent", b"", HELLO_BYTES)
        except PartnerFailed as error:
            return None, str(error)
        if status == 200:
            _, told = wire.post(f"/{session}/reveal", run.reveal(counted), most)
            return run.learn(counted, told), ""
        if waited >= question.wait:
            return None, f"{wire.name} has not consented to say which; its session is {session}"
        sleep(POLL)
        waited += POLL


def _check_count(told: bytes, count: int) -> bool:
    """Refuse another count than one's own; return whether the partner ever tells which."""
    try:
        row: Any = json.loads(told)
        theirs, tells = row["count"], bool(row["reveals"])
    except (ValueError, KeyError, TypeError) as error:
        raise ExchangeRefused("the partner's count is no JSON with a count") from error
    if theirs != count:
        raise ExchangeRefused(f"the partner counted {str(theirs)[:20]}, this side {count:,}: one of them is wrong")
    return tells


def _reason(data: bytes) -> str:
    try:
        return str(json.loads(data)["error"])[:200]
    except (ValueError, KeyError, TypeError):
        return "no reason was given"


def bytes_of(outcomes: Iterable[Outcome]) -> int:
    """Return what travelled in all."""
    return sum(one.sent + one.received for one in outcomes)
