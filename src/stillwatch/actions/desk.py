"""Where a request is decided: a policy with its budgets, its acts and what was promised, behind two calls."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from stillwatch.actions.access import NOTHING_PROMISED, Access
from stillwatch.actions.acts import Acts
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import Budgets, LocalBudgets
from stillwatch.actions.decision import Decision
from stillwatch.actions.engine import PolicyEngine
from stillwatch.actions.rules import PolicyFile


class Desk:
    """Decides and settles. Policy and access can be replaced while it works; budgets and acts outlive both."""

    def __init__(
        self,
        policy: PolicyFile,
        budgets: Budgets | None = None,
        access: Access | None = None,
        acts: Acts | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.budgets: Budgets = LocalBudgets() if budgets is None else budgets
        self.access = Access() if access is None else access
        self.acts = Acts() if acts is None else acts
        self.engine = PolicyEngine(policy, self.acts)
        self._earlier: Counter[str] = Counter()  # failures under policies before this one
        self._clock = clock

    def decide(self, attributes: Attributes) -> Decision:
        """Return what is done about a request; never raises, and never waits.

        Licences and declared uses that `access` holds are looked up first. They add to what the attributes say, but
        for one thing: a licence that is used up does not license.
        """
        now = self._clock()
        return self.engine.decide(self._promised(attributes, now), self.budgets, now)

    def settle(self, decision: Decision, input_tokens: int | None, output_tokens: int | None) -> None:
        """Charge what an exchange cost to the budgets and the licence of its decision."""
        tokens = (input_tokens or 0) + (output_tokens or 0)
        self.engine.settle(decision, self.budgets, tokens, self._clock())
        if decision.licence and not decision.effect.refused:
            self.access.meter(decision.licence, output_tokens or 0)

    def replace_policy(self, policy: PolicyFile) -> None:
        """Go over to another policy, between two requests."""
        fresh = PolicyEngine(policy, self.acts)
        self._earlier += self.engine.failures
        self.engine = fresh

    def replace_access(self, access: Access) -> None:
        """Go over to other tables; what was metered and verified is taken along."""
        self.access = access.take_over(self.access)

    @property
    def failures(self) -> Counter[str]:
        """Return how often each rule could not be evaluated, since the start."""
        return self._earlier + self.engine.failures

    def _promised(self, attributes: Attributes, now: float) -> Attributes:
        promise = self.access.promised(
            attributes.account, attributes.organisation, attributes.model, attributes.capability, now
        )
        if promise == NOTHING_PROMISED:
            return attributes
        return replace(
            attributes,
            licensed=promise.licence != "" or (attributes.licensed and not promise.used_up),
            licence=promise.licence,
            licence_tokens_left=promise.licence_tokens_left,
            declared_use=attributes.declared_use or promise.declared_use,
        )
