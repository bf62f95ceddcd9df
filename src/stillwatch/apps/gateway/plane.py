"""A worker's copy of the control plane: who the accounts are, what people approved, and what rules did of themselves.

Requests read the copy and never wait for the database. A thread renews it when the database's version changes, and
writes down there what rules propose and begin, so that a person can approve it or take it back.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

from stillwatch.actions.acts import Acts
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.decision import ActionKind, Decision
from stillwatch.actions.desk import Desk
from stillwatch.actions.rules import CAMPAIGN, ENFORCE, Rule
from stillwatch.apps.gateway.live.facts import AccountFacts
from stillwatch.model import StillwatchError
from stillwatch.store.accounts import Account, accounts_changed
from stillwatch.store.acts import propose_action
from stillwatch.store.acts_read import Action, Proposal, Scope, Status, acts_withdrawn, list_actions
from stillwatch.store.database import Store, version

SECOND = 1_000_000  # µs
DAYS_30 = 30 * 86_400.0
POLICY = "policy"  # in whose name rules act, in the ledger
logger = logging.getLogger("stillwatch.gateway.plane")


@dataclass(frozen=True, slots=True)
class _Wish:
    """A rule that acts on a subject, or would if somebody approved it."""

    rule: str
    scope: Scope
    subject: str
    needs_approval: bool


class Plane:
    """The copy, and what waits to be written."""

    def __init__(self, store: Store, acts: Acts) -> None:
        """Read everything once."""
        self.store, self.acts = store, acts
        self._accounts: dict[str, AccountFacts] = {}
        self._suspended: dict[str, int] = {}
        self._approved: dict[str, int] = {}
        self.seen = 0
        self._wishes: dict[_Wish, None] = {}
        self._written: set[_Wish] = set()
        self.failure = ""
        self._load(version(store))

    def facts(self, account_id: str) -> AccountFacts | None:
        """Return what is known of an account."""
        known = self._accounts.get(account_id)
        until = self._suspended.get(account_id)
        if until is None:
            return known
        return replace(known or AccountFacts(account_id), suspended_until=until)

    def approved(self, campaign_id: str) -> bool:
        """Return whether a person approved an action on a campaign that has not expired."""
        until = self._approved.get(campaign_id)
        return until is not None and until > _now()

    def note(self, desk: Desk, decision: Decision, attributes: Attributes) -> None:
        """Remember what the rules of a decision do or propose; written later."""
        if desk.engine.policy.mode != ENFORCE:
            return
        if decision.rule and decision.action not in (ActionKind.ALLOW, ActionKind.OBSERVE):
            self._wish(desk, decision.rule, attributes, False)
        for name in decision.proposes:
            self._wish(desk, name, attributes, True)

    def refresh(self, desk: Desk) -> None:
        """Write what waits, and read what changed. Never raises: a database that is away is told, and waited for."""
        try:
            self._write(desk)
            now_at = version(self.store)
            if now_at != self.seen:
                self._load(now_at)
            self.failure = ""
        except StillwatchError as error:
            if not self.failure:
                logger.error("control-plane-away", extra={"kind": type(error).__name__})
            self.failure = "the control plane's database cannot be reached; what was read last holds"

    def _wish(self, desk: Desk, name: str, attributes: Attributes, needs_approval: bool) -> None:
        rule = next((each for each in desk.engine.policy.rules if each.name == name), None)
        if rule is None:
            return
        whole = rule.scope == CAMPAIGN and bool(attributes.campaign)
        scope, subject = (Scope.CAMPAIGN, attributes.campaign) if whole else (Scope.ACCOUNT, attributes.account)
        wish = _Wish(name, scope, subject, needs_approval)
        if wish not in self._written:
            self._wishes[wish] = None

    def _write(self, desk: Desk) -> None:
        rules = {rule.name: rule for rule in desk.engine.policy.rules}
        for wish in list(self._wishes):
            if wish.rule in rules:
                propose_action(self.store, _proposal(wish, rules[wish.rule]), _now(), POLICY)
            self._written.add(wish)
            self._wishes.pop(wish, None)

    def _load(self, at: int) -> None:
        fresh = {name: _facts(each) for name, each in accounts_changed(self.store, self.seen).items()}
        self._accounts.update(fresh)
        now = _now()
        suspended: dict[str, int] = {}
        approved: dict[str, int] = {}
        for action in list_actions(self.store, now):
            self._take(action, suspended, approved)
        for action in acts_withdrawn(self.store, now):
            self.acts.withdraw(action.rule, action.subject_id, (action.reversed_at or now) / SECOND)
        self._suspended, self._approved, self.seen = suspended, approved, at

    def _take(self, action: Action, suspended: dict[str, int], approved: dict[str, int]) -> None:
        """Take one action over: a person's approval, a suspension, when a rule's act began."""
        if action.status is Status.APPROVED:
            if action.scope is Scope.CAMPAIGN:
                approved[action.subject_id] = max(action.expires_at, approved.get(action.subject_id, 0))
            if action.kind is ActionKind.SUSPEND and action.scope is Scope.ACCOUNT:
                suspended[action.subject_id] = max(action.expires_at, suspended.get(action.subject_id, 0))
            began, until = (action.approved_at or action.created_at) / SECOND, action.expires_at / SECOND
            if action.rule and not self.acts.approved(action.rule, action.subject_id, _now() / SECOND):
                self.acts.approve(action.rule, action.subject_id, until, began)
        elif action.rule and action.status in (Status.ACTIVE, Status.EXPIRED):
            self.acts.begin(action.rule, action.subject_id, action.created_at / SECOND)


def _proposal(wish: _Wish, rule: Rule) -> Proposal:
    lasts = DAYS_30 if rule.expires is None else rule.expires
    return Proposal(
        scope=wish.scope,
        subject_id=wish.subject,
        kind=rule.do.kind,
        reason=rule.reason,
        expires_at=_now() + int(lasts * SECOND),
        rule=rule.name,
        needs_approval=wish.needs_approval,
    )


def _facts(account: Account) -> AccountFacts:
    return AccountFacts(
        account_id=account.account_id,
        organisation=account.org_id or "",
        plan=account.plan or "",
        verification=account.verification or "none",
        programme=account.program or "",
        created_at=account.created_at,
        payment_fingerprint=account.payment_fingerprint,
        phone_hash=account.phone_hash,
        signup_ip=account.signup_ip,
        email_domain=account.email_domain,
        declared_use=bool(account.declared_use),
        verified_at=account.verified_since,
    )


def _now() -> int:
    return time.time_ns() // 1_000
