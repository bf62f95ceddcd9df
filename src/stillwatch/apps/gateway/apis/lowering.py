"""A lower maximum of output: one field of the request is written anew, every other value keeps its bytes."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from stillwatch.apps.gateway.apis.endpoints import MESSAGES, RESPONSES, Endpoint

FIELDS = {
    "chat.completions": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
LEAST_THINKING = 1_024  # below it Anthropic's API refuses a budget for thinking
LEAST_RESPONSE = 16  # and the Responses API a maximum of output
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def lower_output(body: bytes, asked: dict[str, Any], endpoint: Endpoint, most: int) -> bytes:
    """Return the request with no more than `most` tokens of output; the same bytes where it asks for fewer."""
    most = max(most, LEAST_RESPONSE) if endpoint is RESPONSES else most
    names = FIELDS.get(endpoint.name, ())
    given = [name for name in names if asked.get(name) is not None]
    changes = {name: most for name in given or names[:1] if name not in given or _exceeds(asked[name], most)}
    changes |= _lower_thinking(asked, most) if endpoint is MESSAGES else {}
    return _rewrite(body, asked, changes) if changes else body


def _exceeds(value: Any, most: int) -> bool:
    return isinstance(value, int | float) and value > most


def _lower_thinking(asked: dict[str, Any], most: int) -> dict[str, Any]:
    """A budget for thinking must stay below the maximum, or the API would refuse the whole request."""
    told = asked.get("thinking")
    held: dict[str, Any] = told if isinstance(told, dict) else {}
    budget = held.get("budget_tokens")
    if not isinstance(budget, int) or budget < most:
        return {}
    return {"thinking": {**held, "budget_tokens": most - 1} if most > LEAST_THINKING else {"type": "disabled"}}


def _rewrite(body: bytes, asked: dict[str, Any], changes: dict[str, Any]) -> bytes:
    try:
        return _encode(_parts(body) | {name: msgspec.Raw(_encode(value)) for name, value in changes.items()})
    except msgspec.DecodeError:  # JSON with lone surrogates: written anew as it was read
        return json.dumps({**asked, **changes}, ensure_ascii=False).encode("utf-8", "replace")
