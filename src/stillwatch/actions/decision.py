"""What may be done about one request, and what was decided: every action has a reason code, and can be taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ActionKind(StrEnum):
    """What a rule can do, from nothing to the most."""

    ALLOW = "allow"
    OBSERVE = "observe"  # allow, and say in the exchange log that a rule spoke
    DROP_REASONING = "drop-reasoning"  # leave thinking blocks out of the answer
    DROP_LOGPROBS = "drop-logprobs"
    SUMMARISE_REASONING = "summarise-reasoning"  # a short summary in place of the reasoning
    REFORMULATE_REASONING = "reformulate-reasoning"  # the reasoning without self-talk, its conclusion first
    ROUND_LOGPROBS = "round-logprobs"  # to a grid, and fewer alternatives
    SERVE_TWIN = "serve-twin"  # of two wordings of equal meaning, the one that a key picks
    LOWER_OUTPUT = "lower-output"  # a smaller maximum of output tokens
    LIMIT = "limit"  # a budget of requests or tokens: 429 past it
    REQUIRE_VERIFICATION = "require-verification"  # 403 with where to verify and to appeal
    DENY = "deny"  # this model or capability: 403
    SUSPEND = "suspend"  # the account: 403


REWRITES = {ActionKind.SUMMARISE_REASONING: "summary", ActionKind.REFORMULATE_REASONING: "reformulated"}
ALTERS = frozenset(
    {
        ActionKind.DROP_REASONING,
        ActionKind.DROP_LOGPROBS,
        ActionKind.ROUND_LOGPROBS,
        ActionKind.LOWER_OUTPUT,
        ActionKind.SERVE_TWIN,
        *REWRITES,
    }
)
REFUSES = frozenset({ActionKind.REQUIRE_VERIFICATION, ActionKind.DENY, ActionKind.SUSPEND})


@dataclass(frozen=True, slots=True)
class Effect:
    """What the server does to one request and its answer."""

    refused: bool = False
    status: int = 200  # of the refusal
    retry_after: int | None = None  # seconds
    max_output_tokens: int | None = None  # no answer longer than this
    drop: frozenset[str] = frozenset()  # of: reasoning, logprobs
    announce: bool = True  # an altered answer says so in a header
    reasoning: str = ""  # what stands in place of the reasoning: summary, reformulated
    logprob_decimals: int | None = None  # log probabilities are rounded to so many decimals
    twin: bool = False  # its wording is picked by a key
    logprob_top: int | None = None  # and no more than so many alternatives of a token are told

    @property
    def alters_answer(self) -> bool:
        """Return whether anything of the answer is other than the upstream gave it."""
        return (
            bool(self.drop or self.reasoning or self.twin)
            or self.logprob_decimals is not None
            or self.logprob_top is not None
        )


NOTHING = Effect()


@dataclass(frozen=True, slots=True)
class Budget:
    """So many requests or tokens in so many seconds, of whom its key says."""

    key: str
    amount: int
    window: float  # seconds


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says about one request. `effect` is done; in shadow mode it is nothing, and `would` says what."""

    action: ActionKind
    effect: Effect = NOTHING
    would: Effect = NOTHING
    rule: str = ""  # name of the rule that spoke; empty: the default
    reason: str = ""  # code that the customer sees
    message: str = field(default="", repr=False)  # sentence that the customer sees
    appeal: str = ""  # address
    campaign_id: str | None = None
    policy: str = ""  # version (digest) of the policy file
    verify: str = ""  # address where the customer can verify itself
    expires: int | None = None  # when the act ends by itself: seconds since 1970, UTC
    proposes: tuple[str, ...] = ()  # rules that would act if a person approved it
    licence: str = ""  # id of the licence whose volume the answer is metered against
    charges: tuple[Budget, ...] = field(default=(), repr=False)  # token budgets that the answer is charged to


ALLOWED = Decision(ActionKind.ALLOW)
