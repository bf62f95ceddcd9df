"""Exchanges that were decided and have not ended yet, for callers that say later, or never, how they ended."""

from __future__ import annotations

import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from stillwatch.actions.decision import ActionKind, Decision, Effect
from stillwatch.apps.gateway.apis.endpoints import is_kept
from stillwatch.apps.gateway.parts import without_twin
from stillwatch.apps.gateway.seams import Arrival, Decider, Outcome, Recorder, RecordingFailed

logger = logging.getLogger("stillwatch.gateway")
NOT_REPORTED = 0  # status of an exchange of which nobody said how it ended
PROBE = "stillwatch self-test: refuse this request"  # a prompt that every plug must refuse; see `probe`
PROBED = Effect(refused=True, status=403)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be held for exchanges that are under way."""

    most: int = 50_000  # exchanges
    characters: int = 256 << 20  # of their prompts
    patience: float = 900.0  # seconds until an exchange counts as not reported
    remembered: int = 200_000  # ids of exchanges that ended, so that none is recorded twice


class Underway:
    """Decides, and holds each exchange until its outcome is told. Refusals, and what is never told, are kept too.

    `counts` has, since the start: decided, refused, ended, repeated, unreported, unguarded, unkept.
    """

    def __init__(
        self,
        decider: Decider,
        recorder: Recorder,
        bounds: Bounds = Bounds(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._decider, self._recorder, self._bounds, self._clock = decider, recorder, bounds, clock
        self._held: OrderedDict[str, tuple[float, Arrival, Decision]] = OrderedDict()
        self._characters = 0
        self._ended: OrderedDict[str, None] = OrderedDict()
        self.counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._held)

    def decide(self, arrival: Arrival, can: Callable[[Decision], Decision] = without_twin) -> Decision:
        """Return the decision. Asked again about an exchange that is under way, it is the same one.

        `can` says what of a decision can be done here: where answers are out of reach, no twin.
        """
        self.expire()
        if is_probe(arrival):
            message = "This is how a refusal looks. The request went no further."
            return Decision(ActionKind.DENY, PROBED, PROBED, "self-test", "self-test", message)
        held = self._held.get(arrival.exchange_id)
        if held is not None and held[1].account_id == arrival.account_id:
            return held[2]
        decision = can(self._decider.decide(arrival))
        self.counts["decided"] += 1
        if decision.effect.refused:
            self.refuse(arrival, decision)
        elif held is None:
            self._hold(arrival, decision)
        return decision

    def refuse(self, arrival: Arrival, decision: Decision) -> None:
        """Record a refusal, whose outcome is known."""
        self.counts["refused"] += 1
        self._conclude_anyway(arrival, decision, Outcome(decision.effect.status))

    def end(self, exchange_id: str, outcome: Outcome) -> bool:
        """Record how an exchange ended; False where it is not, or no longer, under way. Raises RecordingFailed."""
        held = self._held.get(exchange_id)
        if held is None:
            return False
        self._conclude(held[1], held[2], outcome)
        self._forget(exchange_id)
        return True

    def keep(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Record an exchange that was decided elsewhere, or by nobody. Raises RecordingFailed."""
        if decision.rule == UNGUARDED.rule:
            self.counts["unguarded"] += 1
        self._conclude(arrival, decision, outcome)

    def has_ended(self, exchange_id: str) -> bool:
        """Whether the end of an exchange was recorded already."""
        known = exchange_id in self._ended
        self.counts["repeated"] += known
        return known

    def expire(self) -> None:
        """End what nobody reported in time, and the oldest of what is too much to hold."""
        now = self._clock()
        while self._held and self._is_too_much(now):
            self._give_up(next(iter(self._held)))

    def close(self) -> None:
        """End everything that is under way as not reported."""
        while self._held:
            self._give_up(next(iter(self._held)))

    def _is_too_much(self, now: float) -> bool:
        since = next(iter(self._held.values()))[0]
        many = len(self._held) > self._bounds.most or self._characters > self._bounds.characters
        return many or now - since > self._bounds.patience

    def _give_up(self, exchange_id: str) -> None:
        _, arrival, decision = self._held[exchange_id]
        self.counts["unreported"] += 1
        self._forget(exchange_id)
        self._conclude_anyway(arrival, decision, Outcome(NOT_REPORTED))

    def _hold(self, arrival: Arrival, decision: Decision) -> None:
        self._held[arrival.exchange_id] = (self._clock(), arrival, decision)
        self._characters += _characters(arrival)

    def _forget(self, exchange_id: str) -> None:
        self._characters -= _characters(self._held.pop(exchange_id)[1])

    def _conclude_anyway(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Conclude what nobody will tell again; where it cannot be kept it is logged, counted and still settled."""
        try:
            self._conclude(arrival, decision, outcome)
        except RecordingFailed:
            self._decider.settle(arrival, decision, outcome)

    def _conclude(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        try:
            conclude(self._decider, self._recorder, arrival, decision, outcome)
        except RecordingFailed:
            self.counts["unkept"] += 1
            raise
        self.counts["ended"] += 1
        self._ended[arrival.exchange_id] = None
        while len(self._ended) > self._bounds.remembered:
            self._ended.popitem(last=False)


UNGUARDED = Decision(ActionKind.OBSERVE, rule="unguarded", reason="unguarded")  # answered without being decided


def conclude(decider: Decider, recorder: Recorder, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
    """Record an exchange, and take it into its account's sketch and budgets. Raises RecordingFailed; the log has it.

    As in the relay, embeddings, lists of models and counts of tokens are decided about, and are no exchanges.
    """
    if not is_kept(arrival.endpoint):
        return
    try:
        recorder.record(arrival, decision, outcome)
    except RecordingFailed as error:
        logger.error("exchange %s was not kept: %s", arrival.exchange_id, error)
        raise
    decider.settle(arrival, decision, outcome)


def is_probe(arrival: Arrival) -> bool:
    """Whether a request is the self-test, by which an operator sees that a route is guarded."""
    return arrival.prompt == PROBE


def _characters(arrival: Arrival) -> int:
    return len(arrival.prompt or "") + len(arrival.system_prompt or "")
