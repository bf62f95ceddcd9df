"""Who an account is and what it was promised: accounts, licences with their volume, declared uses, verifications.

Consulted before a request is scored: what was declared must not be held against whoever declared it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Account:
    """One row of the accounts table, as far as a policy asks about it."""

    account: str
    organisation: str = ""
    plan: str = ""
    verification: str = "none"
    programme: str = ""
    created: float | None = None  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Licence:
    """One declared authorisation. Empty means any."""

    licence: str
    organisation: str = ""
    account: str = ""
    models: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    max_output_tokens: int | None = None
    since: float | None = None
    until: float | None = None

    def covers(self, model: str, capability: str, now: float) -> bool:
        """Return whether its terms cover this, its volume aside."""
        return (
            (not self.models or model in self.models)
            and (not self.capabilities or capability in self.capabilities)
            and (self.since is None or now >= self.since)
            and (self.until is None or now < self.until)
        )


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared use: what an account or an organisation said that it does, and that somebody accepted."""

    use: str
    account: str = ""
    organisation: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a policy may ask about an account and what it was promised; names are those of Attributes."""

    organisation: str = ""
    plan: str = ""
    verification: str = "none"
    programme: str = ""
    account_age_days: float = -1.0
    licensed: bool = False
    licence: str = ""
    licence_tokens_left: int = -1
    declared_use: bool = False
    verified_since: float = -1.0


@dataclass(frozen=True, slots=True)
class Promise:
    """What covers one request: a licence with its volume left (-1: any), or a declared use.

    With `used_up`, a licence would cover it had its volume not been used.
    """

    licence: str = ""
    licence_tokens_left: int = -1
    declared_use: bool = False
    used_up: bool = False


Row = TypeVar("Row", Licence, Declared)
UNKNOWN = Account("")
NOTHING_PROMISED = Promise()


class Access:
    """Everything that is known of accounts; replaced as a whole when its tables change, but for what is metered."""

    def __init__(
        self, accounts: Iterable[Account] = (), licences: Iterable[Licence] = (), declared: Iterable[Declared] = ()
    ) -> None:
        self._accounts = {each.account: each for each in accounts}
        self._licences = _by_holder(licences)
        self._declared = _by_holder(declared)
        self._used: dict[str, int] = {}
        self._verified: dict[str, float] = {}

    def standing(self, account: str, model: str, capability: str, now: float) -> Standing:
        """Return what a policy may ask about a request of this account at a moment (seconds since 1970)."""
        known = self._accounts.get(account, UNKNOWN)
        promise = self.promised(account, known.organisation, model, capability, now)
        verified = self._verified.get(account)
        return Standing(
            known.organisation, known.plan, known.verification, known.programme,
            -1.0 if known.created is None else max(now - known.created, 0.0) / DAY,
            promise.licence != "", promise.licence, promise.licence_tokens_left, promise.declared_use,
            -1.0 if verified is None else max(now - verified, 0.0) / DAY,
        )  # fmt: skip

    def promised(self, account: str, organisation: str, model: str, capability: str, now: float) -> Promise:
        """Return what this account, or its organisation, was promised for such a request."""
        if not (self._licences or self._declared):
            return NOTHING_PROMISED
        holders = [pair for pair in (("account", account), ("organisation", organisation)) if pair[1]]
        declared = any(
            use.until is None or now < use.until for holder in holders for use in self._declared.get(holder, ())
        )
        used_up = False
        for holder in holders:
            for licence in self._licences.get(holder, ()):
                if not licence.covers(model, capability, now):
                    continue
                left = self._left(licence)
                if left:
                    return Promise(licence.licence, left, declared)
                used_up = True
        return Promise(declared_use=declared, used_up=used_up)

    def meter(self, licence: str, output_tokens: int) -> None:
        """Count an answer against a licence's volume."""
        if licence and output_tokens > 0:
            self._used[licence] = self._used.get(licence, 0) + output_tokens

    @property
    def metered(self) -> Mapping[str, int]:
        """Return the output tokens used of each licence."""
        return self._used

    def verify(self, account: str, now: float) -> None:
        """Keep that an account verified itself after being asked to."""
        self._verified[account] = now

    def take_over(self, earlier: Access) -> Access:
        """Take over what an earlier one has metered and verified, and return this one."""
        self._used, self._verified = dict(earlier._used), dict(earlier._verified)
        return self

    def restore(self, metered: Mapping[str, int], verified: Mapping[str, float]) -> Access:
        """Take what a database kept of both, and return this one."""
        self._used, self._verified = dict(metered), dict(verified)
        return self

    def _left(self, licence: Licence) -> int:
        """Return the volume that a licence has left: 0 when it is used up, -1 for any."""
        if licence.max_output_tokens is None:
            return -1
        return max(licence.max_output_tokens - self._used.get(licence.licence, 0), 0)


def accounts_of(rows: Iterable[Mapping[str, Any]]) -> list[Account]:
    """Return accounts from rows of the accounts table, as `read_accounts` gives them."""
    return [
        Account(
            row["account_id"], row.get("org_id") or "", row.get("plan") or "", row.get("verification") or "none",
            row.get("program") or "", _moment(row.get("created_at")),
        )
        for row in rows
    ]  # fmt: skip


def licences_of(rows: Iterable[Mapping[str, Any]]) -> list[Licence]:
    """Return licences from rows of the licences table, as `read_licences` gives them."""
    return [
        Licence(
            row["licence_id"], row.get("org_id") or "", row.get("account_id") or "",
            frozenset(row.get("models") or ()), frozenset(row.get("capabilities") or ()),
            row.get("max_output_tokens"), _moment(row.get("valid_from")), _moment(row.get("valid_until")),
        )
        for row in rows
    ]  # fmt: skip


def _holders(each: Licence | Declared) -> list[tuple[str, str]]:
    """Return whom a row speaks of: as in a batch, its account, its organisation, or both."""
    return [pair for pair in (("account", each.account), ("organisation", each.organisation)) if pair[1]]


def _by_holder(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    held: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        for holder in _holders(row):
            held[holder].append(row)
    return dict(held)


def _moment(value: Any) -> float | None:
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    return None
