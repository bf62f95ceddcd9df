"""The answering side's desk: who may ask, in which order, how often; and a line in the ledger for each act.

Sessions live in memory: a restart ends them, which costs an asker one run. What was asked is in the ledger, so that
limits hold over a restart. No element, masked or not, is ever written.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stillwatch.sharing.ledgers import Append
from stillwatch.sharing.private import run
from stillwatch.sharing.private.group import ExchangeRefused
from stillwatch.sharing.private.limits import DAY, Asked, Rates, refusal
from stillwatch.sharing.private.messages import read_hello
from stillwatch.sharing.private.own_set import CAP, STEP, prepare

Offer = Callable[[str], Iterable[bytes]]  # the own elements of a family
Consent = Callable[[str, str], bool | None]  # (partner, session): True, False for never, None for not yet


class AskedTooOften(ExchangeRefused):
    """A partner's limit is reached."""


class OutOfOrder(ExchangeRefused):
    """A step was repeated, left out, or belongs to no session of this partner."""


class NotConsented(ExchangeRefused):
    """This side shows numbers only."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for everybody who asks."""

    cap: int = CAP
    step: int = STEP
    seconds: float = 1_800.0  # a session's life
    sessions: int = 4  # of one partner under way, and as many more that are counted and wait for consent


@dataclass(frozen=True, slots=True)
class _Open:
    partner: str
    until: float
    state: run.Answering | run.Answered | run.Counted | None  # None while a step is at work


@dataclass(slots=True)
class _Step:
    """A session's state while one caller works on it, and the state that follows."""

    state: Any
    next: run.Answered | run.Counted | None = None


@dataclass(slots=True)
class Desk:
    """Answers partners. Its only state is its sessions and what was asked before (`history`, from the ledger)."""

    offer: Offer
    rates: Mapping[str, Rates]
    append: Append
    consent: Consent
    secret: bytes = field(repr=False)  # whoever has it can show later what a commitment was made over
    terms: Terms = field(default_factory=Terms)
    history: list[Asked] = field(default_factory=list)
    _sessions: dict[str, _Open] = field(default_factory=dict, repr=False)
    _nonces: set[str] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def open(self, partner: str, message: bytes, now: float) -> bytes:
        """Let a partner begin, and return the welcome. Raises ExchangeRefused with the reason why not."""
        hello = read_hello(message, self.terms.cap, self.terms.step)
        with self._lock:
            self._admit(partner, hello.nonce, hello.size, now)
        own = prepare(self.offer(hello.family), self.salt(hello.nonce), self.terms.step, self.terms.cap)
        begun = run.welcome(own, hello)
        session = begun.welcome.session
        body = {"partner": partner, "family": hello.family, "at": now, "size": hello.size, "own_size": own.size}
        body |= {"commitment": hello.commitment, "own_commitment": own.commitment.hex(), "nonce": hello.nonce}
        self.append("psi-asked", session, body)
        with self._lock:
            self._sessions[session] = _Open(partner, now + self.terms.seconds, begun)
        return begun.welcome.to_bytes()

    def answer(self, partner: str, session: str, masked: bytes, now: float) -> bytes:
        """Mask a partner's elements again and send the own ones."""
        with self._step(partner, session, run.Answering, now) as step:
            step.next, reply = run.answer(step.state, masked)
        return reply

    def tally(self, partner: str, session: str, message: bytes, now: float) -> int:
        """Count what is in common."""
        with self._step(partner, session, run.Answered, now) as step:
            counted = run.tally(step.state, message)
            self.append("psi-counted", session, {"partner": partner, "count": counted.count})
            step.next = None if self.consent(partner, session) is False else counted
        return counted.count

    def agrees(self, partner: str, session: str, now: float) -> bool:
        """Say whether this side consents to tell which; False while it has not. Raises NotConsented if it never does.

        An asker asks this before it tells anything itself.
        """
        with self._step(partner, session, run.Counted, now) as step:
            consents = self.consent(partner, session)
            if consents is False:
                raise NotConsented("this side tells how many, not which")
            step.next = step.state
            return bool(consents)

    def reveal(self, partner: str, session: str, message: bytes, now: float) -> tuple[bytes, tuple[bytes, ...]] | None:
        """Exchange which are in common, once this side consents too; None while it has not. Ends the session.

        Returns the message and the own elements that it told of. Raises NotConsented where this side never does.
        """
        with self._step(partner, session, run.Counted, now) as step:
            consents = self.consent(partner, session)
            if consents is None:
                step.next = step.state
                return None
            if not consents:
                raise NotConsented("this side tells how many, not which")
            found = run.learn(step.state, message)
            self.append("psi-revealed", session, {"partner": partner, "count": step.state.count})
            return run.reveal(step.state), found

    def salt(self, nonce: str) -> bytes:
        """Return the salt of the commitment of the session that began with this nonce."""
        return hmac.digest(self.secret, b"psi-commitment" + nonce.encode(), "sha256")

    def _admit(self, partner: str, nonce: str, size: int, now: float) -> None:
        self._sessions = {name: one for name, one in self._sessions.items() if one.until > now}
        self.history = [one for one in self.history if now - one.at < DAY]
        if nonce in self._nonces:
            raise OutOfOrder("this greeting came before; a run begins with a fresh one")
        own = {name: one for name, one in self._sessions.items() if one.partner == partner}
        waiting = [name for name, one in own.items() if isinstance(one.state, run.Counted)]
        for name in waiting[: -self.terms.sessions]:
            del self._sessions[name]  # the oldest: whoever wants to know which asks again
        if len(own) - len(waiting) >= self.terms.sessions:
            raise AskedTooOften(f"{self.terms.sessions} comparisons are under way; try again later")
        reason = refusal(self.rates[partner], self.history, partner, size, now)
        if reason is not None:
            self.append("psi-refused", partner, {"partner": partner, "at": now, "size": size, "reason": reason})
            raise AskedTooOften(reason)
        self._nonces.add(nonce)
        self.history.append(Asked(now, partner, size))

    @contextmanager
    def _step(self, partner: str, session: str, kind: type[Any], now: float) -> Iterator[_Step]:
        """Hand out the session's state to one caller; without a next state, or with an error, the session ends."""
        with self._lock:
            one = self._sessions.get(session)
            if one is None or one.partner != partner or one.until <= now:
                raise OutOfOrder("there is no such session; it ended, or never was yours")
            if not isinstance(one.state, kind):
                raise OutOfOrder("this step was done, or is not the next one; begin a new run")
            self._sessions[session] = _Open(partner, one.until, None)
        step = _Step(one.state)
        try:
            yield step
        finally:
            with self._lock:
                if step.next is None:
                    self._sessions.pop(session, None)
                else:
                    self._sessions[session] = _Open(partner, one.until, step.next)
