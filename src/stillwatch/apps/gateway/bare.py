"""Parts that do nothing, for tests of the relay and for measuring it alone. `stillwatch gateway` never uses them."""

from __future__ import annotations

from stillwatch.actions.decision import ALLOWED, Decision
from stillwatch.apps.gateway.seams import Arrival, Outcome


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
