"""What a decision is called in the exchange log and in the logs."""

from __future__ import annotations

from stillwatch.actions.decision import NOTHING, ActionKind, Decision


def said(decision: Decision) -> tuple[ActionKind, ActionKind | None]:
    """Return what was done, and in shadow mode what would have been: None where the two do not differ."""
    if decision.would is NOTHING or decision.would == NOTHING:
        return decision.action, None
    return (ActionKind.ALLOW if decision.effect == NOTHING else decision.action), decision.action
