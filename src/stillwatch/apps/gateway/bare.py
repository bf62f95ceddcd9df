"""Parts that do next to nothing, to test and to measure the relay alone. `stillwatch gateway` never uses them."""

from __future__ import annotations

from stillwatch.actions.decision import ALLOWED, Decision
from stillwatch.apps.gateway.apis.errors import JSON, Answer, error_body
from stillwatch.apps.gateway.callers import FindKey
from stillwatch.apps.gateway.parts import Parts
from stillwatch.apps.gateway.seams import Arrival, Decider, Outcome, Recorder

ALTERED_HEADER = b"x-stillwatch-altered"
REASON_HEADER = b"x-stillwatch-reason"


class AllowAll:
    """Allows everything."""

    def decide(self, arrival: Arrival) -> Decision:
        """Allow it."""
        del arrival
        return ALLOWED

    def settle(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Take no note."""


class KeepNothing:
    """Keeps no exchange."""

    def record(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Forget it."""


def tell_refusal(decision: Decision, api: str, exchange_id: str) -> Answer:
    """Return a refusal with its reason code, and where to appeal."""
    status = decision.effect.status if decision.effect.status >= 400 else 403
    more: dict[str, object] = {"appeal": decision.appeal, "exchange_id": exchange_id}
    message = decision.message or "The operator's policy does not allow this request."
    body = error_body(api, status, decision.reason or decision.action, message, {k: v for k, v in more.items() if v})
    headers = [JSON, (b"content-length", b"%d" % len(body)), (REASON_HEADER, _header(decision.reason))]
    if decision.effect.retry_after is not None:
        headers.append((b"retry-after", b"%d" % decision.effect.retry_after))
    return Answer(status, tuple(headers), body)


def announce_alteration(decision: Decision) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that say what was altered and why."""
    effect = decision.effect
    done = [f"dropped={each}" for each in sorted(effect.drop)]
    if effect.max_output_tokens is not None:
        done.append(f"max-output-tokens={effect.max_output_tokens}")
    return (ALTERED_HEADER, ", ".join(done).encode()), (REASON_HEADER, _header(decision.reason))


def _header(text: str) -> bytes:
    return "".join(letter for letter in text if letter.isascii() and letter.isprintable()).encode()


def bare_parts(decider: Decider, recorder: Recorder, find_key: FindKey) -> Parts:
    """Return parts with plain refusals and nothing to observe."""
    return Parts(decider, recorder, find_key, tell_refusal, announce_alteration)
