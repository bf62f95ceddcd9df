"""The decision about a request about which nothing can be decided."""

from __future__ import annotations

from stillwatch.actions.decision import ActionKind, Decision, Effect


def undecidable(status: int, reason: str, message: str, retry_after: int | None = None) -> Decision:
    """Return the refusal of a request about which nothing could be decided, where the operator wants that refused."""
    effect = Effect(refused=True, status=status, retry_after=retry_after)
    return Decision(ActionKind.DENY, effect, effect, rule=reason, reason=reason, message=message)


CUT = undecidable(413, "too-large", "The request is too large to be checked.")
