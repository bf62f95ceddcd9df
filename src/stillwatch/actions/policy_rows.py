"""A policy file as people write it, row for row: what keys there are, and what each may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from stillwatch.actions.rules import Limits, Rate

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"(\d+)([smhd])")
RATE = re.compile(r"(\d[\d_]*) per (?:(\d*)([smhd])|(second|minute|hour|day))")
CODE = r"^[a-z0-9]+(-[a-z0-9]+)*$"
ADDRESS = re.compile(r"(https?://|mailto:)[!-~]+")
LONGEST = 3660 * 86_400  # ten years


def seconds(value: Any) -> float:
    """Return the seconds of a duration such as 90s, 15m, 1h or 14d."""
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    length = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < length <= LONGEST:
        raise ValueError("expected a duration such as 90s, 15m, 1h or 14d, up to ten years")
    return float(length)


def days(value: Any) -> float:
    """Return the days of a duration."""
    return seconds(value) / UNITS["d"]


def rate(value: Any) -> Rate:
    """Return what such as '500 per 1h' or '2_000_000 per day' says."""
    found = RATE.fullmatch(value) if isinstance(value, str) else None
    amount = int(found[1]) if found else 0
    if not found or not 0 < amount < 1 << 53:
        raise ValueError("expected a rate such as 500 per 1h, 2_000_000 per day or 10 per second")
    return Rate(amount, seconds(f"{found[2] or 1}{found[3] or found[4][0]}"))


def rates(value: Any) -> tuple[Rate, ...]:
    """Return one rate, or several that all hold."""
    return tuple(rate(each) for each in (value if isinstance(value, list) else [value]))


def limits(value: Any) -> Limits:
    """Return the rates of requests and tokens of one limit."""
    known = ("requests", "tokens")
    if not isinstance(value, dict) or not value or not set(value) <= set(known):
        raise ValueError("expected requests: or tokens: with a rate such as 500 per 1h, or both")
    return Limits(**{name: rates(value[name]) for name in known if name in value})


def address(value: Any) -> str:
    """Return an address that can stand in a header."""
    if not isinstance(value, str) or not ADDRESS.fullmatch(value):
        raise ValueError("expected an address such as https://example.com/appeal or mailto:appeal@example.com")
    return value


def condition(value: Any) -> str:
    """Return a condition; a bare true or false of YAML is one too."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        raise ValueError("expected a condition in CEL, such as member && p > 0.9")
    return value.strip()


def deed(value: Any) -> Any:
    """Let `do: observe` stand for `do: {action: observe}`."""
    return {"action": value} if isinstance(value, str) else value


Duration = Annotated[float, BeforeValidator(seconds)]
Days = Annotated[float, BeforeValidator(days)]
RatesOf = Annotated[Limits, BeforeValidator(limits)]
Address = Annotated[str, BeforeValidator(address)]
Dropped = Literal["reasoning", "logprobs"]
Decimals = Annotated[int, Field(ge=0, le=6)]
Alternatives = Annotated[int, Field(ge=0, le=20)]
Level = Literal["none", "email", "phone", "payment", "business"]
Name = Annotated[str, Field(pattern=CODE, max_length=80)]
Sentence = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]
OfModel = Annotated[str, Field(min_length=1, pattern=r"^[^*]*\*?$")]


class Row(BaseModel):
    """What every row keeps: no key that is not known, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


class AllowRow(Row):
    """Let it pass; with `limits: false` past the limits of accounts too."""

    action: Literal["allow"]
    limits: bool = True


class ObserveRow(Row):
    """Let it pass, and say in the exchange log that the rule spoke."""

    action: Literal["observe"]


class DropRow(Row):
    """Leave parts out of the answer."""

    action: Literal["drop-reasoning", "drop-logprobs"]
    also: list[Dropped] = []
    announce: bool = True


class RewriteRow(Row):
    """Put something else in place of the reasoning; log probabilities can be dropped or rounded besides."""

    action: Literal["summarise-reasoning", "reformulate-reasoning"]
    also: list[Literal["logprobs"]] = []
    decimals: Decimals | None = None
    top: Alternatives | None = None
    announce: bool = True


class RoundRow(Row):
    """Round log probabilities, and tell fewer alternatives."""

    action: Literal["round-logprobs"]
    decimals: Decimals = 2
    top: Alternatives | None = None
    also: list[Literal["reasoning"]] = []
    announce: bool = True


class TwinRow(Row):
    """Serve one of two wordings of equal meaning, which the answer always says."""

    action: Literal["serve-twin"]


class LowerRow(Row):
    """Make the answer shorter."""

    action: Literal["lower-output"]
    max_output_tokens: Annotated[int, Field(ge=1)]
    drop: list[Dropped] = []
    announce: bool = True


class LimitRow(Row):
    """Let it pass while there is room in the budgets."""

    action: Literal["limit"]
    per_account: RatesOf | None = None
    per_organisation: RatesOf | None = None
    per_campaign: RatesOf | None = None


class VerifyRow(Row):
    """Ask the account to verify itself; one at `level` or above is not asked."""

    action: Literal["require-verification"]
    level: Level | None = None


class DenyRow(Row):
    """Refuse; with `models` or `capabilities` these alone."""

    action: Literal["deny"]
    models: list[OfModel] = []
    capabilities: list[Annotated[str, Field(min_length=1)]] = []


class SuspendRow(Row):
    """Refuse everything the account asks."""

    action: Literal["suspend"]


DoRow = Annotated[
    AllowRow
    | ObserveRow
    | DropRow
    | RewriteRow
    | RoundRow
    | TwinRow
    | LowerRow
    | LimitRow
    | VerifyRow
    | DenyRow
    | SuspendRow,
    Field(discriminator="action"),
]


DEEDS: Mapping[str, type[Row]] = {
    action: row for row in get_args(get_args(DoRow)[0]) for action in get_args(row.model_fields["action"].annotation)
}


class RuleRow(Row):
    """One rule."""

    name: Name
    when: Annotated[str, BeforeValidator(condition)] = "true"
    do: Annotated[DoRow, BeforeValidator(deed)]
    reason: Name
    message: Sentence = ""
    appeal: Address = ""
    verify: Address = ""
    approval: Literal["required", "none"] = "none"
    expires: Duration | None = None
    scope: Literal["account", "campaign"] = "account"


class StepRow(Row):
    """Limits of accounts younger than this."""

    younger_than: Days
    limits: RatesOf


class LimitsRow(Row):
    """Limits that hold whatever the rules say."""

    verification: dict[Level, RatesOf] = {}
    programmes: dict[str, RatesOf] = {}
    ramp: list[StepRow] = []
    organisation: RatesOf | None = None
    organisations: dict[str, RatesOf] = {}

    @field_validator("ramp")
    @classmethod
    def _rises(cls, ramp: list[StepRow]) -> list[StepRow]:
        ages = [step.younger_than for step in ramp]
        if ages != sorted(set(ages)):
            raise ValueError("ages must rise; put the youngest first")
        return ramp


class PolicyRow(Row):
    """The whole file."""

    version: Literal[1]
    mode: Literal["shadow", "enforce"] = "shadow"
    covert: Literal["never", "allowed"] = "never"
    on_error: Literal["allow", "observe", "deny"] = "observe"
    appeal: Address = ""
    verify: Address = ""
    limits: LimitsRow = LimitsRow()
    rules: list[RuleRow]
