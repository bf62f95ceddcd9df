"""What the gateway is put together from: each part is an argument, time and chance too, so a replay has its own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from stillwatch.actions.decision import ALTERS, ActionKind, Decision
from stillwatch.apps.gateway.apis.errors import JSON, Answer, error_body
from stillwatch.apps.gateway.callers import FindKey
from stillwatch.apps.gateway.seams import Arrival, Decider, Outcome, Recorder

ALTERED_HEADER = b"stillwatch-altered"
REASON_HEADER = b"stillwatch-reason"


@dataclass(slots=True)
class Passage:
    """How an exchange went in time, in seconds of a clock that only runs forward."""

    began: float
    first_byte: float | None = None  # of the upstream's answer
    ended: float = 0.0
    upstream: str = ""
    left: bool = False  # the client hung up first
    broken: str = ""  # what cut the answer short: upstream, timeout, recording, drain


class Refuse(Protocol):
    """Tells a client that the policy refuses its request."""

    def __call__(self, decision: Decision, api: str, exchange_id: str) -> Answer:
        """Return the answer in the shape of the API."""


Announce = Callable[[Decision], tuple[tuple[bytes, bytes], ...]]
Observe = Callable[[Arrival, Decision, Outcome, Passage], None]
Check = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Watched:
    """Something that changes while the gateway runs: looked at every second, and loaded again at a new version.

    `load` swaps the new one in atomically, or raises and leaves the old one in force.
    """

    name: str
    version: Callable[[], object]
    load: Callable[[], None]


def tell_refusal(decision: Decision, api: str, exchange_id: str) -> Answer:
    """Return a refusal with its reason code, and where to appeal."""
    status = decision.effect.status if decision.effect.status >= 400 else 403
    more: dict[str, object] = {"appeal": decision.appeal, "exchange_id": exchange_id}
    message = decision.message or "The operator's policy does not allow this request."
    body = error_body(api, status, decision.reason or decision.action, message, {k: v for k, v in more.items() if v})
    headers = [JSON, (b"content-length", b"%d" % len(body)), (REASON_HEADER, _header(decision.reason))]
    if decision.effect.retry_after is not None:
        headers.append((b"retry-after", b"%d" % decision.effect.retry_after))
    return Answer(status, tuple(headers), body)


def announce_alteration(decision: Decision) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that say what was altered and why."""
    effect = decision.effect
    done = [f"drop-{each}" for each in sorted(effect.drop)]
    if effect.max_output_tokens is not None:
        done.append(f"{ActionKind.LOWER_OUTPUT}={effect.max_output_tokens}")
    if decision.action in ALTERS and not done:
        done.append(decision.action)
    return (ALTERED_HEADER, ", ".join(done).encode()), (REASON_HEADER, _header(decision.reason))


def _header(text: str) -> bytes:
    return "".join(letter for letter in text if letter.isascii() and letter.isprintable()).encode()


def now_micros() -> int:
    """Return the time of day in µs since 1970, UTC."""
    return time.time_ns() // 1_000


def new_id() -> str:
    """Return an id that no other exchange has."""
    return uuid.uuid4().hex


def _unwatched(*_: object) -> None:
    """Observe nothing."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that one worker needs beside its configuration."""

    decider: Decider
    recorder: Recorder
    find_key: FindKey
    refuse: Refuse = tell_refusal
    announce: Announce = announce_alteration
    observe: Observe = _unwatched  # metrics and logs
    checks: Mapping[str, Check] = field(default_factory=dict)  # readiness: "" where all is well, else what is wrong
    watched: tuple[Watched, ...] = ()
    close: Callable[[], None] = _unwatched
    now: Callable[[], int] = now_micros  # µs since 1970
    clock: Callable[[], float] = time.perf_counter
    new_id: Callable[[], str] = new_id
