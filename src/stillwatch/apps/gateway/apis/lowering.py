"""A lower maximum of output: what is then asked for instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stillwatch.actions.decision import Decision

FIELDS = {  # what bounds an answer; the first is set where none is
    "chat.completions": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
LEAST_THINKING = 1_024  # below it Anthropic's API refuses a budget for thinking
LEAST_RESPONSE = 16  # and the Responses API a maximum of output


def lowered(asked: Mapping[str, Any], endpoint: str, most: int | None) -> dict[str, Any]:
    """Return the fields to change so that no more than `most` tokens are asked for; none where fewer are."""
    if most is None:
        return {}
    most = max(most, LEAST_RESPONSE) if endpoint == "responses" else most
    names = FIELDS.get(endpoint, ())
    given = [name for name in names if asked.get(name) is not None]
    changes = {name: most for name in given or names[:1] if name not in given or _exceeds(asked[name], most)}
    return changes | (_lower_thinking(asked, most) if endpoint == "messages" else {})


def unlowered(decision: Decision) -> Decision:
    """Return a decision to announce where fewer tokens were asked for anyway, so that nothing was lowered."""
    return replace(decision, effect=replace(decision.effect, max_output_tokens=None))


def _exceeds(value: Any, most: int) -> bool:
    return isinstance(value, int | float) and value > most


def _lower_thinking(asked: Mapping[str, Any], most: int) -> dict[str, Any]:
    """A budget for thinking must stay below the maximum, or the API would refuse the whole request."""
    told = asked.get("thinking")
    held: dict[str, Any] = told if isinstance(told, dict) else {}
    budget = held.get("budget_tokens")
    if not isinstance(budget, int) or budget < most:
        return {}
    return {"thinking": {**held, "budget_tokens": most - 1} if most > LEAST_THINKING else {"type": "disabled"}}
