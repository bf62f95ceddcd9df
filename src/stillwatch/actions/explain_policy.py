"""Why a policy says what it says of one request: every rule in its order, with what spoke against each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stillwatch.actions import conditions
from stillwatch.actions.acts import Acts
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.decision import Decision
from stillwatch.actions.engine import ACTS, PolicyEngine
from stillwatch.actions.rules import PolicyFile, Rule
from stillwatch.actions.trials import BEGINNING

OPENING, CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class RuleTold:
    """One rule held against one request."""

    name: str
    line: int
    action: str
    stands: str  # speaks, does not match, not asked, waits for approval, fails
    because: str


def explain_policy(policy: PolicyFile, attributes: Attributes) -> tuple[tuple[RuleTold, ...], Decision]:
    """Return each rule with why it did or did not match, and the decision; nothing earlier is remembered."""
    engine = PolicyEngine(policy, Acts())
    decision = engine.decide(attributes, LocalBudgets(), BEGINNING)
    rows: list[RuleTold] = []
    over = False
    for rule in policy.rules:
        stands, because = _standing(engine, rule, attributes)
        if over and stands == "speaks":
            stands, because = "not asked", "it matches, but a rule before it spoke"
        over = over or stands in ("speaks", "fails")
        rows.append(RuleTold(rule.name, rule.line, rule.do.kind.value, stands, because))
    return tuple(rows), decision


def _standing(engine: PolicyEngine, rule: Rule, attributes: Attributes) -> tuple[str, str]:
    try:
        if not conditions.evaluate(rule.condition, attributes):
            return "does not match", _against(rule.condition, attributes)
    except conditions.RuleFailed as failed:
        return "fails", str(failed)
    stands, _ = engine.standing(rule, attributes, BEGINNING)
    return ("speaks" if stands == ACTS else stands), _values(rule.condition, attributes)


def _against(condition: str, attributes: Attributes) -> str:
    """The parts of a condition that do not hold, with the values that they ask about."""
    failing = [part for part in _parts(condition) if not _holds(part, attributes)]
    return "; ".join(f"false: {' '.join(part.split())} ({_values(part, attributes)})" for part in failing)


def _holds(part: str, attributes: Attributes) -> bool:
    try:
        return conditions.evaluate(part, attributes)
    except conditions.RuleFailed:
        return False


def _values(part: str, attributes: Attributes) -> str:
    return ", ".join(f"{name} is {_shown(getattr(attributes, name))}" for name in conditions.named(part)) or "always"


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _parts(condition: str) -> list[str]:
    """The parts that must all hold: what `&&` joins outside of brackets and texts, and again inside a whole bracket."""
    parts, start, depth, quote, at = [], 0, 0, "", 0
    while at < len(condition):
        letter = condition[at]
        if quote:
            at += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in OPENING or letter in CLOSING:
            depth += 1 if letter in OPENING else -1
        elif depth == 0 and condition.startswith(("||", "?", "//"), at):
            return [condition]  # not parts that must all hold
        elif depth == 0 and condition.startswith("&&", at):
            parts.append(condition[start:at])
            start = at + 2
        at += 1
    parts = [part.strip() for part in (*parts, condition[start:])]
    if len(parts) == 1:
        return [condition] if not _bracketed(parts[0]) else _sound(_parts(parts[0][1:-1]), condition)
    return _sound([each for part in parts for each in _parts(part)], condition)


def _bracketed(part: str) -> bool:
    """Whether one pair of brackets holds the whole part."""
    depth = 0
    for at, letter in enumerate(part):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and at < len(part) - 1:
            return False
    return part.startswith("(") and part.endswith(")")


def _sound(parts: list[str], condition: str) -> list[str]:
    return [condition] if any(conditions.check(part) for part in parts) else parts
