"""Reads a policy file and checks all of it at once: each thing that is wrong comes with its line and its mend."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stillwatch.actions import conditions
from stillwatch.actions.decision import ActionKind
from stillwatch.actions.marked_yaml import Marked, Problem, parse, read_text
from stillwatch.actions.policy_problems import contradictions, faulty_conditions, rules_in, unfit
from stillwatch.actions.policy_rows import PolicyRow, RuleRow
from stillwatch.actions.rules import AccountLimits, Do, PolicyFile, Rule, Step
from stillwatch.model import InputRefused

SHIPPED = Path(__file__).parent / "policies"
LEVELS = ("none", "email", "phone", "payment", "business")  # weakest first


def read_policy(path: str | Path) -> PolicyFile:
    """Read a policy: a file, or `shadow` or `enforcing` for those that ship.

    Raises InputRefused with a line for each thing that is wrong with it.
    """
    found = SHIPPED / f"{path}.yaml" if str(path) in ("shadow", "enforcing") else Path(path)
    policy, problems = examine(read_text(found), str(path))
    if policy is None:
        raise InputRefused("\n".join(problem.told(str(path)) for problem in problems))
    return policy


def placeholders(policy: PolicyFile) -> tuple[str, ...]:
    """Return what must be set before customers see it: the addresses that a policy ships with lead nowhere."""
    named = {"appeal": policy.appeal, "verify": policy.verify}
    return tuple(f"{key}: {each} leads nowhere; set your own" for key, each in named.items() if "example.com" in each)


def examine(text: str, name: str = "policy.yaml") -> tuple[PolicyFile | None, list[Problem]]:
    """Return the policy that a text holds, or all that is wrong with it."""
    marked = parse(text)
    problems = list(marked.problems)
    if not isinstance(marked.data, dict):
        return None, problems or [Problem(1, "holds no policy; write version: 1 and rules:")]
    row: PolicyRow | None = None
    try:
        row = PolicyRow.model_validate(marked.data)
    except ValidationError as error:
        problems += unfit(error, marked)
    problems += faulty_conditions(marked)
    rules = tuple(_sound(marked))
    problems += contradictions(rules, marked.data.get("covert") == "allowed")
    if row is not None and not problems:
        return _policy(row, rules, name, text), []
    return None, sorted(set(problems))


def _sound(marked: Marked) -> Iterator[Rule]:
    """Yield the rules that are well formed, with what the top of the file says for them."""
    top = {key: marked.data[key] for key in ("appeal", "verify") if isinstance(marked.data.get(key), str)}
    for at, each in rules_in(marked):
        with contextlib.suppress(ValidationError):
            row = RuleRow.model_validate(each)
            if not conditions.check(row.when):
                yield _rule(row, top, marked.line(("rules", at)))


def _rule(row: RuleRow, top: Mapping[str, str], line: int) -> Rule:
    do = _do(row.do)
    parts = [row.when, *_added(do)]
    condition = row.when if len(parts) == 1 else " && ".join(f"(\n{part}\n)" for part in parts)
    return Rule(
        name=row.name, when=row.when, condition=condition, do=do, reason=row.reason, message=row.message,
        appeal=row.appeal or top.get("appeal", ""), verify=row.verify or top.get("verify", ""),
        approval=row.approval == "required", expires=row.expires, scope=row.scope, line=line,
    )  # fmt: skip


def _do(row: Any) -> Do:
    kind = ActionKind(row.action)
    told = row.model_dump(exclude={"action", "also", "drop"}, exclude_none=True)
    for name in ("per_account", "per_organisation", "per_campaign"):
        if getattr(row, name, None) is not None:
            told[name] = getattr(row, name)
    for name in ("models", "capabilities"):
        if name in told:
            told[name] = tuple(told[name])
    own = {ActionKind.DROP_REASONING: {"reasoning"}, ActionKind.DROP_LOGPROBS: {"logprobs"}}.get(kind, set())
    return Do(kind, drop=frozenset(own | {*getattr(row, "also", ()), *getattr(row, "drop", ())}), **told)


def _added(do: Do) -> Iterator[str]:
    """What an action adds to its rule's condition: whom it concerns at all."""
    if do.kind is ActionKind.REQUIRE_VERIFICATION:
        yield "verified_since < 0.0"  # whoever did what it was asked to is not asked again
        if do.level:
            yield f"!(verification in [{', '.join(map(conditions.quoted, LEVELS[LEVELS.index(do.level) :]))}])"
    if do.kind is ActionKind.SERVE_TWIN:  # never to whom something was promised, whatever the rule says
        yield 'verification != "business" && verified_since < 0.0 && !licensed && !declared_use'
    if do.models:
        yield " || ".join(_of_model(model) for model in do.models)
    if do.capabilities:
        yield f"capability in [{', '.join(map(conditions.quoted, do.capabilities))}]"


def _of_model(model: str) -> str:
    if model.endswith("*"):
        return f"model.startsWith({conditions.quoted(model[:-1])})"
    return f"model == {conditions.quoted(model)}"


def _policy(row: PolicyRow, rules: tuple[Rule, ...], name: str, text: str) -> PolicyFile:
    told = row.limits
    limits = AccountLimits(
        {str(level): each for level, each in told.verification.items()}, dict(told.programmes),
        tuple(Step(step.younger_than, step.limits) for step in told.ramp), told.organisation, dict(told.organisations),
    )  # fmt: skip
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return PolicyFile(
        rules, row.mode, row.covert == "allowed", ActionKind(row.on_error), row.appeal, row.verify, limits, name, digest
    )
