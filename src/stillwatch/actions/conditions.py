"""Conditions of rules in CEL: checked with their types when a policy is loaded, asked in one go for each request.

All rules are asked as one expression: first whether any matches, then a list of their answers. Where that fails they
are asked one by one, so that a rule which cannot be evaluated spoils nothing but itself and what comes after it. What
was answered is remembered for requests that no condition can tell apart (`stillwatch.actions.asked_before`).
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from stillwatch.actions.asked_before import REMEMBERED, reader
from stillwatch.actions.attributes import Attributes
from stillwatch.model import MissingDependency

FIELDS: Mapping[str, str] = {each.name: str(each.type) for each in dataclasses.fields(Attributes)}
NOBODY = -1
FAULT = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
WORD = re.compile(r"[A-Za-z_]\w*")
NESTED = "is nested too deeply, or is not CEL; write it flatter, or as several rules"
UNTYPED = b"to_dyn"  # what a use of dyn() leaves in a checked expression


class RuleFailed(Exception):
    """A condition could not be evaluated; `at` is the rule's position, -1 where no single rule is to blame."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at = at


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong with a condition: the line within its text, from 0, and what and how to mend it."""

    line: int
    what: str


@cache
def _env() -> Any:
    try:
        from cel_expr_python import cel
    except ImportError:
        raise MissingDependency("policies need cel-expr-python; pip install 'stillwatch[gateway]'") from None
    kinds = {"str": cel.Type.STRING, "bool": cel.Type.BOOL, "int": cel.Type.INT, "float": cel.Type.DOUBLE}
    return cel.NewEnv(variables={name: kinds[kind] for name, kind in FIELDS.items()})


def quoted(text: str) -> str:
    """Return a text as a CEL string."""
    return json.dumps(text, ensure_ascii=False)


def named(condition: str) -> tuple[str, ...]:
    """Return the attributes that a condition may name, in their order."""
    words = set(WORD.findall(condition))
    return tuple(name for name in FIELDS if name in words)


def check(condition: str) -> list[Fault]:
    """Return what is wrong with a condition: its words, its types, or that it does not say yes or no."""
    try:
        expression = _env().compile(condition)
    except RuntimeError as error:
        found = FAULT.findall(str(error))
        return [Fault(int(line) - 1, _mended(said)) for line, _, said in found] or [Fault(0, NESTED)]
    kind = expression.return_type().name()
    if kind != "BOOL":
        return [Fault(0, f"gives a {kind.lower()}, expected yes or no; compare it with something")]
    if UNTYPED in expression.serialize():
        return [Fault(0, "dyn() hides types from this check; compare values of one type")]
    return []


def constant(condition: str) -> bool | None:
    """Return what a sound condition always says whatever the request, where it asks nothing of it; else None."""
    if named(condition):
        return None
    said = _env().compile(condition).eval(data={}).value()
    return said if isinstance(said, bool) else None


def evaluate(condition: str, attributes: Attributes) -> bool:
    """Ask one condition by itself. Raises RuleFailed."""
    said = _env().compile(condition).eval(data=_values(named(condition), attributes)).value()
    if not isinstance(said, bool):
        raise RuleFailed(0, str(said))
    return said


def _values(names: Sequence[str], attributes: Attributes) -> dict[str, Any]:
    return {name: getattr(attributes, name) for name in names}


def _mended(said: str) -> str:
    unknown = re.search(r"undeclared reference to '([^']*)'", said)
    if unknown:
        near = difflib.get_close_matches(unknown[1], FIELDS, 3, 0.6)
        return f"unknown attribute '{unknown[1]}'" + (f"; near it are {', '.join(near)}" if near else "")
    types = re.search(r"applied to '\((.*)\)'", said)
    if types is None:
        return said[0].lower() + said[1:]
    kinds = set(re.findall(r"\w+", types[1]))
    if {"int", "double"} <= kinds:
        return f"compares a whole number with a fraction ({types[1]}); write 3.0 for a fraction, 3 for a whole number"
    if "string" in kinds and kinds & {"int", "double", "bool"}:
        return f"compares a text with something else ({types[1]}); quote texts, and nothing but texts"
    return f"these types do not go together: {types[1]}"


class Conditions:
    """The conditions of all rules, ready to be asked."""

    def __init__(self, conditions: Sequence[str]) -> None:
        self._env = _env()
        self._alone = [self._env.compile(text) for text in conditions]
        parts = [f"(\n{text}\n)" for text in conditions]
        self._any = self._env.compile(" || ".join(parts) or "false")  # most requests match nothing, and end here
        self._together = self._env.compile(f"[{', '.join(parts)}]")
        words = {word for text in conditions for word in WORD.findall(text)}
        self._names = tuple(name for name in FIELDS if name in words)
        self._read = tuple(reader(name, FIELDS[name], conditions) for name in self._names)
        self._before: dict[tuple[Any, ...], Answers] = {}

    def ask(self, attributes: Attributes) -> Answers:
        """Hold a request against all conditions. Raises RuleFailed where its attributes are not of their types."""
        try:
            kind = tuple([read(attributes) for read in self._read])
            answers = self._before.get(kind)
        except TypeError as error:
            raise RuleFailed(NOBODY, type(error).__name__) from None
        if answers is None:
            answers = self._ask(attributes)
            if len(self._before) >= REMEMBERED:
                self._before.clear()
            self._before[kind] = answers
        return answers

    def _ask(self, attributes: Attributes) -> Answers:
        try:
            values = {name: getattr(attributes, name) for name in self._names}
            activation = self._env.Activation(values)
            if self._any.eval(activation).value() is False:
                return SILENCE
            said = self._together.eval(activation).plain_value()
        except Exception as error:  # a text that is no Unicode, a number beyond 64 bits
            raise RuleFailed(NOBODY, type(error).__name__) from None
        return Answers(said) if isinstance(said, list) else Answers(self._one_by_one(activation))

    def _one_by_one(self, activation: Any) -> list[bool | str]:
        return [expression.eval(activation).value() for expression in self._alone]


class Answers:
    """What each condition said of one request: yes, no, or why it could not be evaluated."""

    __slots__ = ("said",)

    def __init__(self, said: Sequence[bool | str]) -> None:
        self.said = said

    def first(self, start: int = 0) -> int:
        """Return the position of the first that matches from `start` on; -1 for none.

        Raises RuleFailed where one before it could not be evaluated.
        """
        for at in range(start, len(self.said)):
            answer = self.said[at]
            if answer is True:
                return at
            if answer is not False:
                raise RuleFailed(at, str(answer))
        return NOBODY


SILENCE = Answers(())  # nothing matches
