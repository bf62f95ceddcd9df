"""Actions that alter an answer: what the policy file says of them, and whom the documented example never touches."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.decision import ALTERS, NOTHING, ActionKind, Decision, Effect
from stillwatch.actions.engine import PolicyEngine
from stillwatch.actions.explain_policy import explain_policy
from stillwatch.actions.policy_file import examine, read_policy
from stillwatch.actions.refusal import headers
from stillwatch.actions.rules import PolicyFile
from tests.actions.policies import policy_of

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "choose-a-countermeasure.md"
MEMBER = Attributes(account="a-1", campaign="c-1", member=True, verdict="distillation", p=0.99)
NOON = 1_700_000_000.0


def effect_of(do: str) -> Effect:
    policy = policy_of(f"- {{name: a, when: member, do: {do}, reason: x}}\n")
    return PolicyEngine(policy).decide(MEMBER, LocalBudgets(), NOON).effect


@pytest.mark.parametrize(
    ("do", "effect", "told"),
    [
        ("summarise-reasoning", Effect(reasoning="summary"), "reasoning=summary"),
        ("reformulate-reasoning", Effect(reasoning="reformulated"), "reasoning=reformulated"),
        ("round-logprobs", Effect(logprob_decimals=2), "logprob-decimals=2"),
        (
            "{action: round-logprobs, decimals: 0, top: 1, also: [reasoning]}",
            Effect(drop=frozenset({"reasoning"}), logprob_decimals=0, logprob_top=1),
            "dropped=reasoning, logprob-decimals=0, top-logprobs=1",
        ),
        (
            "{action: summarise-reasoning, also: [logprobs]}",
            Effect(drop=frozenset({"logprobs"}), reasoning="summary"),
            "dropped=logprobs, reasoning=summary",
        ),
        ("{action: reformulate-reasoning, top: 0}", Effect(reasoning="reformulated", logprob_top=0),
         "reasoning=reformulated, top-logprobs=0"),
    ],
)  # fmt: skip
def test_an_action_has_its_effect_and_says_so_to_the_client(do: str, effect: Effect, told: str) -> None:
    assert effect_of(do) == effect
    assert effect.alters_answer
    decision = Decision(ActionKind.SUMMARISE_REASONING, effect, reason="x", appeal="https://x.test")
    assert headers(decision)["x-stillwatch-altered"] == told


def test_what_lowers_or_refuses_alters_no_byte_of_an_answer() -> None:
    assert not any(each.alters_answer for each in (NOTHING, Effect(max_output_tokens=9), Effect(True, 403)))


@pytest.mark.parametrize(
    ("do", "told"),
    [
        ("{action: round-logprobs, decimals: 9}", "is 9; input should be less than or equal to 6"),
        ("{action: summarise-reasoning, also: [reasoning]}", "input should be 'logprobs'"),
        ("{action: summarise-reasoning, drop: [logprobs]}", "is no key here"),
        ("{action: reformulate-reasoning, announce: false}", "covert: allowed"),
        ("{action: round-logprobs, announce: false}", "covert: allowed"),
    ],
)
def test_what_is_wrong_with_one_is_said(do: str, told: str) -> None:
    text = f"version: 1\nrules:\n  - {{name: a, when: member, do: {do}, reason: x}}\n"
    policy, problems = examine(text)
    assert policy is None
    assert any(told in problem.told("policy.yaml") for problem in problems)


def test_the_shipped_policies_alter_no_answer() -> None:
    rules = [rule for name in ("shadow", "enforcing") for rule in read_policy(name).rules]
    assert not [rule.name for rule in rules if rule.do.kind in ALTERS]


def documented() -> PolicyFile:
    (text,) = re.findall(r"^```yaml\n(version:.*?)^```$", HOWTO.read_text(encoding="utf-8"), re.M | re.S)
    policy, problems = examine(text.replace("mode: shadow", "mode: enforce"))
    assert policy is not None, problems
    return policy


@settings(max_examples=60, deadline=None)
@given(
    verdict=st.sampled_from(["clear", "watch", "suspect", "distillation"]),
    member=st.booleans(),
    handle=st.sampled_from(["", "bound", "other-account", "other-conversation"]),
    promised=st.sampled_from([{"licensed": True}, {"declared_use": True}, {"verification": "business"}]),
)
def test_the_documented_example_touches_nobody_who_was_promised_something(
    verdict: str, member: bool, handle: str, promised: dict[str, Any]
) -> None:
    asked = Attributes(verdict=verdict, member=member, handle=handle, account_age_days=1.0, **promised)
    decision = PolicyEngine(documented()).decide(asked, LocalBudgets(), NOON)
    assert (decision.effect, decision.rule) == (NOTHING, "promised")


def test_explain_says_which_countermeasure_speaks() -> None:
    rows, decision = explain_policy(documented(), MEMBER)
    assert [row.action for row in rows if row.stands == "speaks"] == ["summarise-reasoning"]
    assert decision.effect == Effect(reasoning="summary", logprob_decimals=2, logprob_top=1)
    carried = Attributes(account="a-2", handle="other-account", account_age_days=2.0)
    assert explain_policy(documented(), carried)[1].rule == "carries-reasoning-of-others"
