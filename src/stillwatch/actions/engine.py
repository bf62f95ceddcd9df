"""Decides about one request by a policy: sync, without input or output, and it never raises.

The rules are walked in their order, and the first that matches speaks. A rule that waits for a person's approval, or
whose act has run out, proposes instead, and the walk goes on.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from stillwatch.actions.account_limits import OF_RULE, budgets_of, source_of
from stillwatch.actions.acts import Acts
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import Budgets, Shortage
from stillwatch.actions.conditions import NOBODY, SILENCE, Answers, Conditions, RuleFailed
from stillwatch.actions.decision import ALTERS, NOTHING, REFUSES, REWRITES, ActionKind, Budget, Decision, Effect
from stillwatch.actions.rules import CAMPAIGN, ENFORCE, PolicyFile, Rule

FAILED, EXHAUSTED = "policy-error", "limit-reached"  # reasons that are no rule's
ACTS, WAITS, ENDED, WITHDRAWN = "acts", "waits for approval", "has run out", "was taken back"
FORBIDDEN, TOO_MANY = 403, 429
NO_EFFECT = (NOTHING, NOTHING)


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk over the rules came to: the rule that speaks, those that propose, and when the act ends."""

    rule: Rule | None
    proposes: tuple[str, ...] = ()
    ends: int | None = None


class PolicyEngine:
    """A policy that decides. Replaced as a whole when its file changes; acts and budgets outlive it."""

    def __init__(self, policy: PolicyFile, acts: Acts | None = None) -> None:
        self.policy = policy
        self.acts = Acts() if acts is None else acts
        self.failures: Counter[str] = Counter()  # what could not be evaluated, by the rule's name
        self._enforced = policy.mode == ENFORCE
        self._conditions = Conditions([rule.condition for rule in policy.rules])
        self._effects = {rule.name: _effect(rule) for rule in policy.rules}
        self._silence = self._decision(Found(None), NOTHING, Attributes())

    def decide(self, attributes: Attributes, budgets: Budgets, now: float) -> Decision:
        """Return what the policy says of a request at a moment (seconds since 1970); takes from budgets.

        Never raises: a rule that cannot be evaluated is counted in `failures`, and `on_error` of the policy decides.
        """
        try:
            answers = self._conditions.ask(attributes)
            if answers is SILENCE and not (self.policy.limits.any or attributes.campaign or attributes.licence):
                return self._silence
            return self._speak(self._walk(answers, attributes, now), attributes, budgets, now)
        except RuleFailed as failed:
            self.failures["attributes" if failed.at == NOBODY else self.policy.rules[failed.at].name] += 1
        except Exception as error:  # whatever it is, a request must not fail because its policy does
            self.failures[type(error).__name__] += 1
        return self._fail(attributes)

    def settle(self, decision: Decision, budgets: Budgets, tokens: int, now: float) -> None:
        """Charge an exchange's tokens to the token budgets of its decision.

        Nothing is charged for a request that was refused, or would have been.
        """
        if decision.charges and not (decision.effect.refused or decision.would.refused):
            budgets.charge(decision.charges, tokens, now)

    def standing(self, rule: Rule, attributes: Attributes, now: float) -> tuple[str, int | None]:
        """Return how a rule that matches stands: acts, waits, has run out, was taken back; and when its act ends."""
        name, subject = self.act_of(rule, attributes)
        if self.acts.withdrawn(name, subject):
            return WITHDRAWN, None
        if rule.approval and not (attributes.campaign_approved or self.acts.approved(name, subject, now)):
            return WAITS, None
        if rule.expires is None:
            return ACTS, None
        ends = self.acts.begin(name, subject, now) + rule.expires
        return (ACTS, int(ends)) if now < ends else (ENDED, None)

    def act_of(self, rule: Rule, attributes: Attributes) -> tuple[str, str]:
        """Return the names under which an act of a rule is remembered in `acts`: its rule and its subject."""
        # a dry run remembers for itself: what it would have done must not use up the time of what is done
        name = rule.name if self._enforced else f"shadow:{rule.name}"
        whole = rule.scope == CAMPAIGN and attributes.campaign
        return name, attributes.campaign if whole else attributes.account

    def _walk(self, answers: Answers, attributes: Attributes, now: float) -> Found:
        proposes: list[str] = []
        at = answers.first()
        while at != NOBODY:
            rule = self.policy.rules[at]
            if rule.ends_the_walk and not self.acts.decided_by_people:
                return Found(rule, tuple(proposes))
            stands, ends = self.standing(rule, attributes, now)
            if stands == ACTS:
                return Found(rule, tuple(proposes), ends)
            if stands != WITHDRAWN:
                proposes.append(rule.name)
            at = answers.first(at + 1)
        return Found(None, tuple(proposes))

    def _speak(self, found: Found, attributes: Attributes, budgets: Budgets, now: float) -> Decision:
        rule = found.rule
        effect = self._effects[rule.name] if rule else NOTHING
        if effect.refused:
            return self._decision(found, effect, attributes)
        requests, tokens = budgets_of(self.policy.limits, rule, attributes)
        if requests or tokens:
            short = budgets.take(requests, tokens, now)
            if short is not None:
                return self._exhausted(found, short, attributes)
        return self._decision(found, effect, attributes, tuple(tokens))

    def _decision(
        self, found: Found, effect: Effect, attributes: Attributes, charges: tuple[Budget, ...] = ()
    ) -> Decision:
        rule = found.rule
        kind = rule.do.kind if rule else ActionKind.ALLOW
        if kind is ActionKind.LIMIT or (rule is None and found.proposes):
            kind = ActionKind.OBSERVE  # there is room, or somebody must approve: the log says that a rule spoke
        done, would = self._split(effect)
        return Decision(
            kind, done, would, rule.name if rule else (found.proposes[0] if found.proposes else ""),
            rule.reason if rule else "", rule.message if rule else "", rule.appeal if rule else self.policy.appeal,
            attributes.campaign or None, self.policy.digest, rule.verify if rule else self.policy.verify, found.ends,
            found.proposes, attributes.licence, charges,
        )  # fmt: skip

    def _exhausted(self, found: Found, short: Shortage, attributes: Attributes) -> Decision:
        source, rule = source_of(short.budget), found.rule
        own = rule if rule and source == f"{OF_RULE}{rule.name}" else None
        done, would = self._split(Effect(True, TOO_MANY, max(math.ceil(short.wait), 1)))
        return Decision(
            ActionKind.LIMIT, done, would, own.name if own else f"limits: {source}", own.reason if own else EXHAUSTED,
            own.message if own else "", own.appeal if own else self.policy.appeal, attributes.campaign or None,
            self.policy.digest, own.verify if own else self.policy.verify, found.ends if own else None, found.proposes,
            attributes.licence,
        )  # fmt: skip

    def _fail(self, attributes: Attributes) -> Decision:
        refused = self.policy.on_error is ActionKind.DENY
        done, would = self._split(Effect(True, FORBIDDEN)) if refused else NO_EFFECT
        return Decision(
            self.policy.on_error, done, would, "on_error", FAILED, appeal=self.policy.appeal,
            campaign_id=attributes.campaign or None, policy=self.policy.digest, licence=attributes.licence,
        )  # fmt: skip

    def _split(self, effect: Effect) -> tuple[Effect, Effect]:
        """Return what is done and what would be: in shadow mode nothing is done."""
        return (effect, NOTHING) if self._enforced else (NOTHING, effect)


def _effect(rule: Rule) -> Effect:
    do = rule.do
    if do.kind in REFUSES:
        return Effect(refused=True, status=FORBIDDEN)
    if do.kind in ALTERS:
        return Effect(
            max_output_tokens=do.max_output_tokens, drop=do.drop, announce=do.announce,
            reasoning=REWRITES.get(do.kind, ""), twin=do.kind is ActionKind.SERVE_TWIN,
            logprob_decimals=do.decimals, logprob_top=do.top,
        )  # fmt: skip
    return NOTHING
