"""Policies for tests: the text of a file around some rules, read."""

from __future__ import annotations

import textwrap

from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.engine import PolicyEngine
from stillwatch.actions.policy_file import examine
from stillwatch.actions.rules import PolicyFile

NOON = 1_700_000_000.0
DAY = 86_400.0
TOP = """\
version: 1
mode: enforce
appeal: https://provider.example/appeal
verify: https://provider.example/verify
"""


def text_of(rules: str, top: str = TOP) -> str:
    return f"{top}rules:\n{textwrap.indent(textwrap.dedent(rules), '  ')}" if rules else f"{top}rules: []\n"


def policy_of(rules: str, top: str = TOP) -> PolicyFile:
    policy, problems = examine(text_of(rules, top))
    assert policy is not None, problems
    return policy


def engine_of(rules: str, top: str = TOP) -> tuple[PolicyEngine, LocalBudgets]:
    return PolicyEngine(policy_of(rules, top)), LocalBudgets()


def problems_of(rules: str, top: str = TOP) -> list[str]:
    policy, problems = examine(text_of(rules, top))
    assert (policy is None) == bool(problems)
    return [problem.told("policy.yaml") for problem in problems]
