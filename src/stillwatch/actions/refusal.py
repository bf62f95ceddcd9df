"""What the customer sees of a decision: a problem document (RFC 9457), the same inside the errors of two APIs, headers.

Every refusal says why in a code, what to do, and where to object; every altered answer says so in a header.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from stillwatch.actions.decision import ActionKind, Decision, Effect

TYPES = "urn:stillwatch:problem:"  # begins the type of a problem; a deployment may have pages of its own
PROBLEM, PLAIN = "application/problem+json", "application/json"
LONG_WAIT = 60  # seconds beyond which clients must not wait by themselves
TITLES: Mapping[ActionKind, str] = {
    ActionKind.LIMIT: "Limit reached",
    ActionKind.REQUIRE_VERIFICATION: "Verification required",
    ActionKind.DENY: "Not open to this account",
    ActionKind.SUSPEND: "Account suspended",
}
DETAILS: Mapping[ActionKind, str] = {
    ActionKind.LIMIT: "A limit of requests or tokens is reached; try again later.",
    ActionKind.REQUIRE_VERIFICATION: "This account must verify itself before it can go on.",
    ActionKind.DENY: "This request is not open to this account.",
    ActionKind.SUSPEND: "This account is suspended.",
}
ERROR_TYPES = {403: "permission_error", 429: "rate_limit_error"}  # in both APIs


def problem(decision: Decision, instance: str, types: str = TYPES) -> dict[str, Any]:
    """Return a refusal as a problem document. `instance` names the exchange, so that an appeal can name it too."""
    effect = decision.effect
    document: dict[str, Any] = {
        "type": f"{types}{decision.action}",
        "title": TITLES.get(decision.action, "Refused") if effect.status in ERROR_TYPES else phrase(effect.status),
        "status": effect.status,
        "detail": decision.message or DETAILS.get(decision.action, "This request is refused."),
        "instance": instance,
        "reason": decision.reason,
        "action": decision.action.value,
    }
    if decision.verify and decision.action is ActionKind.REQUIRE_VERIFICATION:
        document["verify"] = decision.verify
    if decision.appeal:
        document["appeal"] = decision.appeal
    if decision.expires is not None:
        document["expires"] = dt.datetime.fromtimestamp(decision.expires, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if effect.retry_after is not None:
        document["retry_after"] = effect.retry_after
    return document


def body(decision: Decision, api: str, instance: str, types: str = TYPES) -> tuple[str, bytes]:
    """Return the content type and the body of a refusal, in the shape that the API's clients show.

    `api` is openai, anthropic, or anything else for a plain problem document.
    """
    document = problem(decision, instance, types)
    if api == "openai":
        error = {"message": sentence(document), "type": error_type(document["status"]), "param": None}
        return PLAIN, _json({"error": {**_members(document), **error, "code": document["reason"]}})
    if api == "anthropic":
        error = {"type": error_type(document["status"]), "message": sentence(document)}
        return PLAIN, _json({"type": "error", "error": {**_members(document), **error}, "request_id": instance})
    return PROBLEM, _json(document)


def headers(decision: Decision) -> dict[str, str]:
    """Return what a decision adds to the headers of an answer: why it was refused, or how it was altered."""
    effect = decision.effect
    if not effect.refused:
        altered = alterations(effect) if effect.announce else ""
        return {"x-stillwatch-altered": altered, **_why(decision)} if altered else {}
    told = _why(decision)
    if effect.retry_after is not None:
        told["retry-after"] = str(effect.retry_after)
    if effect.retry_after is None or effect.retry_after > LONG_WAIT:
        told["x-should-retry"] = "false"  # the clients of both APIs heed it: asking again at once would not help
    return told


def alterations(effect: Effect) -> str:
    """Return what is altered in an answer, as the header says it; nothing where nothing is."""
    parts = [f"dropped={name}" for name in sorted(effect.drop)]
    if effect.twin:
        parts.append("wording=twin")
    if effect.reasoning:
        parts.append(f"reasoning={effect.reasoning}")
    if effect.logprob_decimals is not None:
        parts.append(f"logprob-decimals={effect.logprob_decimals}")
    if effect.logprob_top is not None:
        parts.append(f"top-logprobs={effect.logprob_top}")
    if effect.max_output_tokens is not None:
        parts.append(f"max-output-tokens={effect.max_output_tokens}")
    return ", ".join(parts)


def sentence(document: Mapping[str, Any]) -> str:
    """Return a problem in one line that a person reads in a traceback."""
    parts = [f"reason: {document['reason']}"]
    parts += [f"{name}: {document[name]}" for name in ("verify", "appeal", "expires") if name in document]
    parts.append(f"exchange: {document['instance']}")
    return f"{document['detail']} ({'; '.join(parts)})"


def _members(document: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a problem that an API's error does not have itself; `type` is taken there, so it is renamed."""
    return {"problem": document["type"], **{name: each for name, each in document.items() if name != "type"}}


def error_type(status: int) -> str:
    """Return the kind of error that the clients of both APIs know for a status."""
    return ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")


def phrase(status: int) -> str:
    """Return what HTTP calls a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


def _why(decision: Decision) -> dict[str, str]:
    told = {"x-stillwatch-reason": decision.reason, "x-stillwatch-appeal": decision.appeal}
    return {name: _as_header(value) for name, value in told.items() if value}


def _as_header(text: str) -> str:
    """Return a text as a header can hold it."""
    return "".join(each for each in text if each.isprintable()).encode("latin-1", "replace").decode("latin-1")


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
