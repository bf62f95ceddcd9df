"""What the client gets of a decision, whatever way its request came: one refusal for each API, one set of headers."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.actions import refusal
from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.apis.errors import Answer

Headers = tuple[tuple[bytes, bytes], ...]


def refuse(decision: Decision, api: str, exchange_id: str) -> Answer:
    """Return a refusal in the shape of the API."""
    kind, body = refusal.body(decision, api, exchange_id)
    head = {"content-type": kind, "content-length": str(len(body)), **refusal.headers(decision)}
    return Answer(decision.effect.status, _encoded(head), body)


def announce(decision: Decision) -> Headers:
    """Return the headers that say what was altered, and why."""
    return _encoded(refusal.headers(decision))


def _encoded(headers: Mapping[str, str]) -> Headers:
    return tuple((name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items())
