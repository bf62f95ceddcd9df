"""What the gateway is put together from: each part is an argument, time and chance too, so a replay has its own."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from stillwatch.actions.decision import ActionKind, Decision
from stillwatch.apps.gateway.apis.altering import Step
from stillwatch.apps.gateway.apis.errors import Answer
from stillwatch.apps.gateway.apis.handles import Sealing
from stillwatch.apps.gateway.apis.steps import steps_for
from stillwatch.apps.gateway.callers import FindKey
from stillwatch.apps.gateway.seams import Arrival, Decider, Outcome, Recorder

if TYPE_CHECKING:
    from stillwatch.apps.gateway.signing.answers import AnswerSigning


@dataclass(slots=True)
class Passage:
    """How an exchange went in time. Moments are seconds of a clock that only runs forward."""

    began: float  # the request was there
    deciding: float = 0.0  # seconds that the decision took
    asked: float | None = None  # the request went upstream
    first_byte: float | None = None  # the head of the upstream's answer came
    answered: float | None = None  # its end came
    ended: float = 0.0
    upstream: str = ""
    left: bool = False  # the client hung up first
    broken: str = ""  # code of what cut the answer short

    @property
    def whole(self) -> float:
        """Seconds from the request to the end."""
        return self.ended - self.began

    @property
    def added(self) -> float:
        """Seconds that the gateway itself took: before the upstream was asked, and after it had answered."""
        if self.asked is None:
            return self.whole
        return self.asked - self.began + (self.ended - self.answered if self.answered is not None else 0.0)


class Refuse(Protocol):
    """Tells a client that the policy refuses its request."""

    def __call__(self, decision: Decision, api: str, exchange_id: str) -> Answer:
        """Return the answer in the shape of the API."""


Announce = Callable[[Decision], tuple[tuple[bytes, bytes], ...]]
Alter = Callable[[Arrival, Decision, Sealing], tuple[Step, ...]]
Settled = Callable[[Decision, Mapping[str, Any]], Decision]
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


def now_micros() -> int:
    """Return the time of day in µs since 1970, UTC."""
    return time.time_ns() // 1_000


def ids() -> Callable[[], str]:
    """Return what makes ids that no other exchange has: a random beginning of this process, and a count."""
    begin, count = uuid.uuid4().hex[:20], itertools.count(1)
    return lambda: f"{begin}{next(count):012x}"


def _unwatched(*_: object) -> None:
    """Observe nothing."""


def altered_as_decided(arrival: Arrival, decision: Decision, sealing: Sealing) -> tuple[Step, ...]:
    """Return the steps of a decision's effect, by our own rules."""
    del arrival
    return steps_for(decision.effect, sealing)


def without_twin(decision: Decision, asked: Mapping[str, Any] | None = None) -> Decision:
    """Return a decision without its twin, for whoever cannot serve one: nothing claims then that one was served."""
    del asked
    if not decision.effect.twin:
        return decision
    effect = replace(decision.effect, twin=False)
    done = ActionKind.OBSERVE if decision.action is ActionKind.SERVE_TWIN else decision.action
    return replace(decision, action=done, effect=effect)


def nobodys_organisation(account_id: str) -> str:
    """Return no organisation, for a gateway without a control plane."""
    del account_id
    return ""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that one worker needs beside its configuration."""

    decider: Decider
    recorder: Recorder
    find_key: FindKey
    refuse: Refuse
    announce: Announce  # headers of an answer that was altered
    alter: Alter = altered_as_decided  # steps of an answer, in their order; what they leave is signed
    organisation: Callable[[str], str] = nobodys_organisation  # that an account declared
    settled: Settled = without_twin  # what can be done of a decision about the fields that a request asks with
    observe: Observe = _unwatched  # metrics and logs
    unkept: Check = lambda: ""  # why no exchange can be kept now, where none may then be relayed
    checks: Mapping[str, Check] = field(default_factory=dict)  # readiness: "" where all is well, else what is wrong
    watched: tuple[Watched, ...] = ()
    signing: AnswerSigning | None = None
    close: Callable[[], None] = _unwatched
    now: Callable[[], int] = now_micros  # µs since 1970
    clock: Callable[[], float] = time.perf_counter
    new_id: Callable[[], str] = field(default_factory=ids)
