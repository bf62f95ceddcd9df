"""The nouns of a policy file: rules in their order, what each does, and the limits of accounts. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from stillwatch.actions.decision import ActionKind

SHADOW, ENFORCE = "shadow", "enforce"
ACCOUNT, CAMPAIGN = "account", "campaign"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so many seconds: as many at once, refilled evenly."""

    amount: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Rates of requests and of tokens; all hold at once."""

    requests: tuple[Rate, ...] = ()
    tokens: tuple[Rate, ...] = ()


@dataclass(frozen=True, slots=True)
class Do:
    """What a rule does, with what it needs to do it."""

    kind: ActionKind
    per_account: Limits | None = None  # limit
    per_organisation: Limits | None = None
    per_campaign: Limits | None = None  # one budget for all accounts of the campaign together
    max_output_tokens: int | None = None  # lower-output
    drop: frozenset[str] = frozenset()
    decimals: int | None = None  # of log probabilities
    top: int | None = None  # alternatives of a token
    announce: bool = True
    models: tuple[str, ...] = ()  # deny; a name, or how it begins with * behind
    capabilities: tuple[str, ...] = ()
    level: str = ""  # require-verification: an account at this level or above is not asked
    limits: bool = True  # allow: whether the limits of accounts still hold


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `condition` is `when` with what its action adds: whom a denial or a verification concerns."""

    name: str
    when: str
    condition: str
    do: Do
    reason: str
    message: str = ""
    appeal: str = ""
    verify: str = ""
    approval: bool = False  # acts only where a person approved it
    expires: float | None = None  # seconds from when the act began
    scope: str = ACCOUNT
    line: int = 0

    @property
    def ends_the_walk(self) -> bool:
        """Return whether nothing after it is asked once it matches: it waits for nobody, and never runs out."""
        return not self.approval and self.expires is None


@dataclass(frozen=True, slots=True)
class Step:
    """A limit for accounts that are younger than this."""

    younger_than: float  # days
    limits: Limits


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """Limits that hold whatever the rules say. A programme's stand in place of those of the verification level."""

    verification: Mapping[str, Limits] = field(default_factory=lambda: MappingProxyType({}))
    programmes: Mapping[str, Limits] = field(default_factory=lambda: MappingProxyType({}))
    ramp: tuple[Step, ...] = ()  # youngest first
    organisation: Limits | None = None  # of each organisation
    organisations: Mapping[str, Limits] = field(default_factory=lambda: MappingProxyType({}))  # of one by its id

    @property
    def any(self) -> bool:
        """Return whether there is any limit at all."""
        return bool(self.verification or self.programmes or self.ramp or self.organisation or self.organisations)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A whole policy as its file says it. `digest` names this very text."""

    rules: tuple[Rule, ...]
    mode: str = SHADOW
    covert: bool = False
    on_error: ActionKind = ActionKind.OBSERVE
    appeal: str = ""
    verify: str = ""
    limits: AccountLimits = field(default_factory=AccountLimits)
    name: str = "policy.yaml"
    digest: str = ""
