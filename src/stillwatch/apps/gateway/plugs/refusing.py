"""A refusal as the client sees it: a problem of RFC 9457 with a reason code, what to do, and where to appeal."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from stillwatch.actions.decision import ActionKind, Decision, Effect

TYPE = "application/problem+json"
KINDS = {401: "authentication_error", 403: "permission_error", 413: "request_too_large", 429: "rate_limit_error"}
ALTERED = "stillwatch-altered"  # header of an answer that a rule changed
REASON = "stillwatch-reason"  # header with the code of the reason


def title_of(status: int) -> str:
    """Return the phrase that HTTP has for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


def problem_of(decision: Decision, exchange_id: str) -> dict[str, Any]:
    """Return the body of a refusal. `error` repeats it in the shape that SDKs of model APIs read."""
    status = decision.effect.status
    said: dict[str, Any] = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": decision.message or title_of(status),
        "reason": decision.reason,
        "action": str(decision.action),
        "exchange_id": exchange_id,
    }
    if decision.appeal:
        said["appeal"] = decision.appeal
    if decision.effect.retry_after is not None:
        said["retry_after"] = decision.effect.retry_after
    told = {"message": said["detail"], "exchange_id": exchange_id, "appeal": decision.appeal or None}
    said["error"] = {"type": kind_of(status), "code": decision.reason} | {k: v for k, v in told.items() if v}
    return said


def kind_of(status: int) -> str:
    """Return the kind of error that SDKs know for a status."""
    return KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")


def refusal_of(decision: Decision, exchange_id: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of a refusal."""
    headers = {"content-type": TYPE, REASON: printable(decision.reason)}
    if decision.effect.retry_after is not None:
        headers["retry-after"] = str(decision.effect.retry_after)
    return decision.effect.status, headers, json.dumps(problem_of(decision, exchange_id)).encode()


def printable(text: str) -> str:
    """Return a text as a header can hold it."""
    return "".join(letter for letter in text if letter.isascii() and letter.isprintable())


def undecidable(status: int, reason: str, message: str, retry_after: int | None = None) -> Decision:
    """Return the refusal of a request about which nothing could be decided, where the operator wants that refused."""
    effect = Effect(refused=True, status=status, retry_after=retry_after)
    return Decision(ActionKind.DENY, effect, effect, rule=reason, reason=reason, message=message)


def altered(decision: Decision) -> dict[str, str]:
    """Return the headers of an altered answer; none where nothing is altered, or the policy wants silence."""
    effect = decision.effect
    if not effect.announce:
        return {}
    parts = [f"drop-{what}" for what in sorted(effect.drop)]
    if effect.max_output_tokens is not None:
        parts.append(f"{ActionKind.LOWER_OUTPUT}={effect.max_output_tokens}")
    return {ALTERED: ", ".join(parts), REASON: printable(decision.reason)} if parts else {}
