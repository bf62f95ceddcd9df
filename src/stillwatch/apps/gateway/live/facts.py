"""What the control plane knows of an account when a request comes; workers get it from a snapshot, never by waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from stillwatch.apps.gateway.seams import Arrival

DAY = 86_400_000_000  # µs
CLAIMED = {"org_id": "organisation", "plan": "plan", "verification": "verification", "program": "programme"}


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """One declared authorisation. Empty sets mean any; times are µs since 1970, UTC."""

    models: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    valid_from: int | None = None
    valid_until: int | None = None

    def cover(self, model: str, capability: str, moment: int) -> bool:
        """Whether an exchange is within the terms."""
        if self.valid_from is not None and moment < self.valid_from:
            return False
        if self.valid_until is not None and moment >= self.valid_until:
            return False
        return (not self.models or model in self.models) and (not self.capabilities or capability in self.capabilities)


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One account as the control plane has it. Names are those of the accounts table; times are µs since 1970, UTC."""

    account_id: str
    organisation: str = ""
    plan: str = ""
    verification: str = "none"  # none, email, phone, payment, business
    programme: str = ""
    created_at: int | None = None
    payment_fingerprint: str | None = field(default=None, repr=False)
    phone_hash: str | None = field(default=None, repr=False)
    signup_ip: str | None = field(default=None, repr=False)
    email_domain: str | None = field(default=None, repr=False)
    licences: tuple[LicenceTerms, ...] = ()
    declared_use: bool = False
    suspended_until: int | None = None  # by an approved action
    verified_at: int | None = None  # when it verified itself after being asked to


Facts = Callable[[str], AccountFacts | None]  # by account_id; None: not known


def nothing_known(_: str) -> AccountFacts | None:
    """Facts of a gateway without a control plane."""
    return None


def as_told(known: AccountFacts | None, arrival: Arrival) -> AccountFacts | None:
    """Add what a signed header says of the account; what it says comes before what the table holds."""
    claims = arrival.claims
    if not claims:
        return known
    told: dict[str, Any] = {CLAIMED[name]: value for name, value in claims.items() if name in CLAIMED and value}
    return replace(known or AccountFacts(arrival.account_id), **told)


def days_since(then: int | None, now: int) -> float:
    """Days from a moment to now; -1 where it is not known."""
    return -1.0 if then is None else max(0.0, (now - then) / DAY)
