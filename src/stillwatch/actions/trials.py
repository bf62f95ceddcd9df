"""Tries a policy out: cases of requests, with what is expected of each."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from stillwatch.actions.acts import Acts
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.conditions import FIELDS
from stillwatch.actions.decision import ActionKind, Decision
from stillwatch.actions.engine import PolicyEngine
from stillwatch.actions.marked_yaml import Marked, Problem, parse, read_text
from stillwatch.actions.policy_file import SHIPPED
from stillwatch.actions.policy_rows import Duration, Row
from stillwatch.actions.rules import PolicyFile
from stillwatch.model import InputRefused, UsageError

BEGINNING = 1_000_000_000.0  # when trials are held: a moment, so that they come out the same each time
KINDS: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


class ExpectRow(Row):
    """What is expected; what is left out is not compared."""

    action: str | None = None
    rule: str | None = None
    refused: bool | None = None
    reason: str | None = None
    status: int | None = None
    proposes: list[str] | None = None


class CaseRow(Row):
    """One case: a request, how often it was made before, and what is expected of the last time."""

    name: Annotated[str, Field(min_length=1)]
    attributes: dict[str, str | int | float | bool] = Field(default={})
    times: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    tokens: Annotated[int, Field(ge=0)] = 0  # of each exchange before the last
    after: Duration | None = None  # how long after the first the last is made
    expect: ExpectRow


class CasesFile(Row):
    """The whole file."""

    cases: Annotated[list[CaseRow], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Case:
    """One case, ready to be tried."""

    name: str
    attributes: Attributes
    expected: Mapping[str, Any]
    times: int = 1
    tokens: int = 0
    after: float = 0.0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a case: by each key that was compared, what was expected and what was got instead."""

    case: Case
    got: Mapping[str, Any]
    differs: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Return whether everything came as expected."""
        return not self.differs


def read_cases(path: str | Path) -> tuple[Case, ...]:
    """Read cases: a file, or `shipped` for those of the policies that ship.

    Raises InputRefused with a line for each thing that is wrong with them.
    """
    marked = parse(read_text(SHIPPED / "cases.yaml" if str(path) == "shipped" else Path(path)))
    problems = list(marked.problems)
    cases: list[Case] = []
    try:
        rows = CasesFile.model_validate(marked.data).cases
        for at, row in enumerate(rows):
            problems += _unfit(at, row, marked)
            line = marked.line(("cases", at))
            expected = row.expect.model_dump(exclude_none=True)
            if not problems:
                given = {name: _as_kind(name, each) for name, each in row.attributes.items()}
                cases.append(
                    Case(row.name, Attributes(**given), expected, row.times, row.tokens, row.after or 0.0, line)
                )
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            where = ": ".join(str(step) for step in each["loc"]) or "the file"
            problems.append(Problem(marked.line(tuple(each["loc"])), f"{where}: {each['msg'].lower()}"))
    if problems:
        raise InputRefused("\n".join(problem.told(str(path)) for problem in sorted(set(problems))))
    return tuple(cases)


def try_case(policy: PolicyFile, case: Case) -> Trial:
    """Return what a policy does in a case, with budgets and acts of its own; a dry run is tried as if enforced."""
    engine, budgets = PolicyEngine(policy, Acts()), LocalBudgets()
    for _ in range(case.times - 1):
        earlier = engine.decide(case.attributes, budgets, BEGINNING)
        engine.settle(earlier, budgets, case.tokens, BEGINNING)
    if case.after:
        engine.decide(case.attributes, budgets, BEGINNING)
    got = told(engine.decide(case.attributes, budgets, BEGINNING + case.after))
    differs = {key: (want, got[key]) for key, want in case.expected.items() if got[key] != want}
    return Trial(case, got, differs)


def told(decision: Decision) -> dict[str, Any]:
    """Return what a decision comes to, as a case names it; of a dry run, what it would."""
    effect = decision.effect if decision.effect.refused else decision.would
    return {
        "action": decision.action.value,
        "rule": decision.rule,
        "refused": effect.refused,
        "reason": decision.reason,
        "status": effect.status,
        "proposes": list(decision.proposes),
    }


def attributes_of(pairs: Mapping[str, str]) -> Attributes:
    """Return attributes from words such as those of a command line. Raises UsageError."""
    given: dict[str, Any] = {}
    for name, word in pairs.items():
        if name not in FIELDS:
            raise UsageError(f"--attributes {name}: {_unknown(name)}")
        try:
            given[name] = _read(FIELDS[name], word)
        except ValueError:
            raise UsageError(f"--attributes {name}={word}: expected {_expected(FIELDS[name])}") from None
    return Attributes(**given)


def _read(kind: str, word: str) -> Any:
    if kind != "bool":
        return KINDS[kind](word)
    if word.lower() not in ("true", "false"):
        raise ValueError
    return word.lower() == "true"


def _expected(kind: str) -> str:
    return {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a word"}[kind]


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, FIELDS, 3, 0.6)
    return "is no attribute; " + (f"near it are {', '.join(near)}" if near else "docs/reference/policy.md lists them")


def _unfit(at: int, row: CaseRow, marked: Marked) -> Iterator[Problem]:
    for name, value in row.attributes.items():
        line = marked.line(("cases", at, "attributes", name))
        if name not in FIELDS:
            yield Problem(line, f"case '{row.name}': {name}: {_unknown(name)}")
        elif not isinstance(_as_kind(name, value), KINDS[FIELDS[name]]) or (
            isinstance(value, bool) != (FIELDS[name] == "bool")
        ):
            yield Problem(line, f"case '{row.name}': {name}: is {value!r}, expected {_expected(FIELDS[name])}")
    if row.expect.action is not None and row.expect.action not in set(ActionKind):
        line = marked.line(("cases", at, "expect", "action"))
        yield Problem(line, f"case '{row.name}': action: is none of {', '.join(ActionKind)}")
    if row.expect == ExpectRow():
        yield Problem(marked.line(("cases", at)), f"case '{row.name}': expects nothing; add action: or rule:")


def _as_kind(name: str, value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and FIELDS.get(name) == "float" else value
