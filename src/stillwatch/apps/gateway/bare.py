"""Parts that do next to nothing, to test and to measure the relay alone. `stillwatch gateway` never uses them."""

from __future__ import annotations

from stillwatch.actions.decision import ALLOWED, Decision
from stillwatch.apps.gateway.apis.refusals import announce, refuse
from stillwatch.apps.gateway.callers import FindKey
from stillwatch.apps.gateway.parts import Parts
from stillwatch.apps.gateway.seams import Arrival, Decider, Outcome, Recorder


class AllowAll:
    """Allows everything."""

    def decide(self, arrival: Arrival) -> Decision:
        """Allow it."""
        del arrival
        return ALLOWED

    def settle(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Take no note."""


class KeepNothing:
    """Keeps no exchange."""

    def record(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Forget it."""


def bare_parts(decider: Decider, recorder: Recorder, find_key: FindKey) -> Parts:
    """Return parts with nothing to observe."""
    return Parts(decider, recorder, find_key, refuse, announce)
