"""What can be wrong with a policy file, in words: what, where, and the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from stillwatch.actions import conditions
from stillwatch.actions.decision import REFUSES, ActionKind
from stillwatch.actions.marked_yaml import Marked, Place, Problem
from stillwatch.actions.policy_rows import DEEDS, LimitsRow, PolicyRow, RuleRow
from stillwatch.actions.rules import Rule

MANY_NAMES = 12  # known keys that a message lists


def faulty_conditions(marked: Marked) -> Iterator[Problem]:
    """Yield what is wrong with the condition of each rule, whatever else is wrong with the rule."""
    for at, rule in rules_in(marked):
        when = rule.get("when")
        if isinstance(when, str):
            where = f"when of rule '{rule.get('name', at + 1)}'"
            yield from _faults(when.strip(), where, ("rules", at, "when"), marked)


def rules_in(marked: Marked) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rules as they stand, with their positions."""
    listed = marked.data.get("rules")
    for at, each in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(each, dict):
            yield at, each


def _faults(when: str, where: str, place: Place, marked: Marked) -> Iterator[Problem]:
    first = marked.lines.get((*place, "text"), marked.line(place))
    folded = (*place, "text") in marked.lines and "\n" not in when
    for fault in conditions.check(when):
        yield Problem(first + (0 if folded else fault.line), f"{where}: {fault.what}")
        return  # the first: what follows it in one condition mostly follows from it
    if not conditions.named(when) and conditions.constant(when) is not True:
        yield Problem(first, f"{where}: never matches, whatever is asked; take the rule out")


def unfit(error: ValidationError, marked: Marked) -> Iterator[Problem]:
    """Yield each place of the file that does not fit its row."""
    for each in error.errors(include_url=False):
        place: Place = tuple(each["loc"])
        yield Problem(marked.line(place), f"{_where(place, marked)}: {_what(each, place)}")


def _what(each: Any, place: Place) -> str:
    kind, said = each["type"], each["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = _known(place)
        near = difflib.get_close_matches(str(place[-1]), known, 1, 0.6)
        return "is no key here; " + (
            f"did you mean {near[0]}?" if near else f"known are {', '.join(known[:MANY_NAMES])}"
        )
    if kind == "missing":
        return "is missing; add it"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"expected an action: {', '.join(ActionKind)}"
    if kind == "string_pattern_mismatch":
        return f"{each['input']!r} is not fit; write lower-case words with hyphens, and no control characters"
    return f"is {_shown(each['input'])}; {said[0].lower() + said[1:]}"


def _known(place: Place) -> tuple[str, ...]:
    """Return the keys of the row that a place is in."""
    row: type[BaseModel] = PolicyRow
    if place[0] == "rules":
        row = RuleRow
        if len(place) > 4 and place[2] == "do":
            row = DEEDS.get(str(place[3]), RuleRow)
    elif place[0] == "limits":
        row = LimitsRow
    return tuple(row.model_fields)


def _where(place: Place, marked: Marked) -> str:
    """Say where something stands: the rule by its name where it has one, then the key."""
    words = [str(step) for step in place if step != "[key]"]
    if len(place) > 1 and place[0] == "rules" and isinstance(place[1], int):
        rules = marked.data["rules"]
        rule = rules[place[1]] if isinstance(rules, list) else None
        name = rule.get("name") if isinstance(rule, dict) else None
        inner = [str(step) for step in place[2:] if step not in set(ActionKind)]
        words = [f"rule '{name}'" if isinstance(name, str) else f"rule number {place[1] + 1}", *inner]
    return ": ".join(words) or "the file"


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:59] + "…"


def contradictions(rules: Sequence[Rule], covert: bool) -> Iterator[Problem]:
    """Yield what is wrong with rules that are well formed: with their actions, and between them."""
    first: dict[str, int] = {}
    closed: Rule | None = None
    for rule in rules:
        where = f"rule '{rule.name}'"
        if rule.name in first:
            yield Problem(rule.line, f"{where}: another rule on line {first[rule.name]} has this name; rename one")
        first.setdefault(rule.name, rule.line)
        if closed:
            yield Problem(
                rule.line, f"{where}: is never reached, since '{closed.name}' before it always matches; move it up"
            )
        elif rule.ends_the_walk and not conditions.named(rule.condition):
            closed = rule
        for what in _misfits(rule, covert):
            yield Problem(rule.line, f"{where}: {what}")


def _misfits(rule: Rule, covert: bool) -> Iterator[str]:
    do = rule.do
    if do.kind is ActionKind.LIMIT and not (do.per_account or do.per_organisation or do.per_campaign):
        yield "limits nothing; add per_account, per_organisation or per_campaign"
    if not do.announce and not covert:
        yield "announce: false needs covert: allowed at the top, and docs/why/033 argues against it"
    if do.kind in REFUSES and not rule.appeal:
        yield "refuses and names no appeal; add appeal: here or at the top"
    if do.kind is ActionKind.REQUIRE_VERIFICATION and not rule.verify:
        yield "asks for a verification and does not say where; add verify: here or at the top"
