"""The JSON of `POST /v1/decide` and `POST /v1/outcome`, both ways. Names are those of the exchange log."""

from __future__ import annotations

import datetime as dt
import difflib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from stillwatch.actions.decision import ActionKind, Decision, Effect
from stillwatch.actions.refusal import body, headers, problem
from stillwatch.apps.gateway.apis.naming import MARK, Names, Owner, is_marked
from stillwatch.apps.gateway.apis.reading import parse_leniently
from stillwatch.apps.gateway.plugs.paths import place_of
from stillwatch.apps.gateway.plugs.reading import Asked, arrival_of, new_id
from stillwatch.apps.gateway.seams import Arrival, Outcome

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LATER = ("reasoning", "logprob_decimals", "logprob_top")  # of an effect; an older decide API does not tell them
Name = Annotated[str, Field(min_length=1, max_length=512)]
Count = Annotated[int, Field(ge=0, lt=2**53)]


class Malformed(Exception):
    """Input that is not of the contract; `faults` names each field and its mend, never its value."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{field} {mend}" for field, mend in faults))
        self.faults = faults


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ExchangeFields(_Strict):
    """An exchange by its fields."""

    account_id: Name
    model: str
    exchange_id: Annotated[str, Field(max_length=512)] = ""
    ts: AwareDatetime | None = None
    api: Literal["openai", "anthropic"] | None = None
    endpoint: Annotated[str, Field(max_length=2048)] = "chat.completions"
    prompt: str | None = None
    system_prompt: str | None = None
    tools: tuple[str, ...] = ()
    turns: Count = 1
    max_tokens: Count | None = None
    temperature: float | None = None
    n: Count | None = None
    stream: bool = False
    ip: str | None = None
    asn: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    country: Annotated[str, Field(max_length=2)] | None = None
    user_agent: str | None = None
    tls_fingerprint: str | None = None
    api_key_id: str | None = None
    channel: str | None = None
    artefacts_in: tuple[str, ...] = ()


class RawRequest(_Strict):
    """An exchange by the request that asks for it."""

    body: dict[str, Any] | str
    endpoint: Annotated[str, Field(min_length=1, max_length=2048)]
    api: Literal["openai", "anthropic"] | None = None
    headers: dict[str, str] = {}
    account_id: Name | None = None
    exchange_id: Annotated[str, Field(max_length=512)] = ""
    ip: str | None = None
    tls_fingerprint: str | None = None
    channel: str | None = None


class Told(BaseModel):
    """A decision as `POST /v1/decide` gave it, told again."""

    model_config = ConfigDict(extra="ignore", strict=True)
    action: str
    rule: str = ""
    reason: str = ""
    campaign_id: str | None = None
    policy: str = ""


class Ended(_Strict):
    """How an exchange ended."""

    exchange_id: Name
    status: Annotated[int, Field(ge=100, le=599)]
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    artefacts_out: tuple[str, ...] = ()
    response: str | None = None
    exchange: ExchangeFields | None = None
    decision: Told | None = None
    unguarded: bool = False


T = TypeVar("T", bound=BaseModel)


def parse(kind: type[T], text: bytes) -> T:
    """Return the record that a JSON text holds; raises Malformed."""
    try:
        return kind.model_validate_json(_whole(text))
    except ValidationError as error:
        names = list(kind.model_fields)
        raise Malformed(
            *(_fault(each, names) for each in error.errors(include_url=False, include_input=False))
        ) from None


def _whole(text: bytes) -> bytes:
    """Return JSON in which half a surrogate pair is replaced, as some clients write it and most readers refuse it."""
    if b"\\ud" not in text and b"\\uD" not in text:
        return text
    try:
        return json.dumps(parse_leniently(text), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text


def _fault(found: Mapping[str, Any], names: list[str]) -> tuple[str, str]:
    field = ".".join(str(each) for each in found["loc"]) or "body"
    if found["type"] == "missing":
        return field, "is missing; every request needs it"
    if found["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field, names, 1)
        return field, f"is no field of this request{f'; did you mean {near[0]}?' if near else ''}"
    if found["type"] == "json_invalid":
        return field, "is not JSON"
    said = str(found["msg"])
    return field, f"{said[0].lower()}{said[1:]}"


def arrival_in(text: bytes, names: Names) -> Arrival:
    """Return the exchange that a body of `POST /v1/decide` describes, in either form; raises Malformed."""
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed(("body", "is not JSON")) from None
    if not isinstance(held, dict):
        raise Malformed(("body", "is no JSON object"))
    if "body" not in held:
        return arrival_from(parse(ExchangeFields, text), names)
    raw = parse(RawRequest, text)
    sent = raw.body if isinstance(raw.body, str) else json.dumps(raw.body)
    named = {name.lower(): value for name, value in raw.headers.items()}
    asked = Asked(
        path=raw.endpoint, headers=named, body=sent.encode("utf-8", "replace"), api=raw.api or "", ip=raw.ip,
        account_id=raw.account_id, exchange_id=raw.exchange_id, tls_fingerprint=raw.tls_fingerprint,
        channel=raw.channel,
    )  # fmt: skip
    return arrival_of(asked, names)


def arrival_from(told: ExchangeFields, names: Names) -> Arrival:
    """Return the arrival that fields of an exchange describe; what is marked `sha256:` gets its name here."""
    api, endpoint = place_of(told.endpoint, {})
    values = {name: getattr(told, name) for name in ExchangeFields.model_fields}
    ts = ((told.ts or dt.datetime.now(dt.UTC)) - EPOCH) // dt.timedelta(microseconds=1)
    values |= {
        "exchange_id": told.exchange_id or new_id(),
        "ts": ts,
        "account_id": _owner(told.account_id, ts, names)[0],
        "api_key_id": told.api_key_id and _owner(told.api_key_id, ts, names)[1],
        "artefacts_in": tuple(names.known(each) for each in told.artefacts_in),
        "api": told.api or api,
        "endpoint": endpoint,
    }
    return Arrival(**values)


def _owner(told: str, now: int, names: Names) -> Owner:
    return names.owner(told[len(MARK) :], now) if is_marked(told) else (told, told)


def exchange_json(arrival: Arrival) -> dict[str, Any]:
    """Return an arrival as `POST /v1/decide` and `POST /v1/outcome` take it."""
    held = {field.name: getattr(arrival, field.name) for field in fields(arrival)}
    held["ts"] = (EPOCH + dt.timedelta(microseconds=arrival.ts)).isoformat()
    return {name: value for name, value in held.items() if value not in (None, ())}


def decision_json(arrival: Arrival, decision: Decision) -> dict[str, Any]:
    """Return what `POST /v1/decide` answers."""
    effect = decision.effect
    said: dict[str, Any] = {
        "exchange_id": arrival.exchange_id,
        "action": str(decision.action),
        "refused": effect.refused,
        "status": effect.status,
        "retry_after": effect.retry_after,
        "max_output_tokens": effect.max_output_tokens,
        "drop": sorted(effect.drop),
        "announce": effect.announce,
        "reasoning": effect.reasoning,
        "twin": effect.twin,
        "logprob_decimals": effect.logprob_decimals,
        "logprob_top": effect.logprob_top,
        "would": effect_json(decision.would),
        "rule": decision.rule,
        "reason": decision.reason,
        "message": decision.message,
        "appeal": decision.appeal,
        "verify": decision.verify,
        "expires": decision.expires,
        "campaign_id": decision.campaign_id,
        "policy": decision.policy,
    }
    if effect.refused:
        said["problem"] = problem(decision, arrival.exchange_id)
        kind, told = body(decision, arrival.api, arrival.exchange_id)
        said["answer"] = {"headers": {"content-type": kind, **headers(decision)}, "body": json.loads(told)}
    return said


def effect_json(effect: Effect) -> dict[str, Any]:
    """Return an effect as JSON has it."""
    return {field.name: getattr(effect, field.name) for field in fields(effect)} | {"drop": sorted(effect.drop)}


def decision_from(said: Mapping[str, Any]) -> Decision:
    """Return the decision that an answer of `POST /v1/decide` holds. Raises ValueError, KeyError or TypeError."""
    return Decision(
        action=ActionKind(said["action"]),
        effect=_effect(said),
        would=_effect(said["would"]),
        rule=str(said["rule"]),
        reason=str(said["reason"]),
        message=str(said["message"]),
        appeal=str(said["appeal"]),
        verify=str(said["verify"]),
        expires=said["expires"],
        campaign_id=said["campaign_id"],
        policy=str(said["policy"]),
    )


def _effect(said: Mapping[str, Any]) -> Effect:
    names = [field.name for field in fields(Effect) if field.name not in ("drop", *LATER)]
    told = {name: said[name] for name in names} | {name: said[name] for name in LATER if name in said}
    return Effect(**told, drop=frozenset(said["drop"]))


def told_decision(told: Told | None) -> Decision:
    """Return the decision that a caller repeats with an outcome; allowed where it repeats none."""
    if told is None:
        return Decision(ActionKind.ALLOW)
    try:
        action = ActionKind(told.action)
    except ValueError:
        raise Malformed(("decision.action", f"is none of {', '.join(ActionKind)}")) from None
    return Decision(action, rule=told.rule, reason=told.reason, campaign_id=told.campaign_id, policy=told.policy)


def outcome_from(told: Ended, names: Names) -> Outcome:
    """Return the outcome that a body of `POST /v1/outcome` tells."""
    minted = tuple(names.known(each) for each in told.artefacts_out)
    return Outcome(told.status, told.input_tokens, told.output_tokens, minted, told.response)
