"""The policies that ship: the same rules, dry and real, and what neither may ever do to anybody."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.decision import ALTERS, REFUSES
from stillwatch.actions.engine import PolicyEngine
from stillwatch.actions.policy_file import SHIPPED, placeholders, read_policy
from stillwatch.actions.trials import Case, read_cases, try_case
from stillwatch.model import VerdictKind
from tests.actions.policies import DAY, NOON

ENFORCING, SHADOW = read_policy("enforcing"), read_policy("shadow")
LEVELS = ("none", "email", "phone", "payment", "business")
REQUESTS = st.builds(
    Attributes,
    account=st.just("a-1"), campaign=st.sampled_from(["", "c-1"]), verdict=st.sampled_from([*VerdictKind]).map(str),
    p=st.floats(0, 1), member=st.booleans(), campaign_approved=st.booleans(), match_content=st.booleans(),
    match_artefact=st.booleans(), match_infrastructure=st.booleans(), match_funding=st.booleans(),
    match_families=st.integers(0, 4), account_age_days=st.sampled_from([-1.0, 0.0, 3.0, 20.0, 900.0]),
    verification=st.sampled_from(LEVELS), licensed=st.booleans(), declared_use=st.booleans(),
    verified_since=st.sampled_from([-1.0, 0.0, 40.0]), asks_reasoning=st.booleans(),
    exchanges_day=st.integers(0, 10**6),
)  # fmt: skip


def decided(attributes: Attributes, later: float = 0.0):  # type: ignore[no-untyped-def]
    engine, budgets = PolicyEngine(ENFORCING), LocalBudgets()
    if later:
        engine.decide(attributes, budgets, NOON)
    decision = engine.decide(attributes, budgets, NOON + later)
    assert not engine.failures
    return decision


def without_comments(name: str) -> str:
    return re.sub(r"^ *#.*\n", "", (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8"), flags=re.M)


def test_the_default_is_the_enforcing_policy_as_a_dry_run():
    assert without_comments("shadow") == without_comments("enforcing").replace("mode: enforce", "mode: shadow")
    assert (SHADOW.mode, ENFORCING.mode) == ("shadow", "enforce")


@pytest.mark.parametrize("case", read_cases("shipped"), ids=lambda case: case.name)
def test_the_shipped_cases_come_out_as_expected(case: Case):
    assert try_case(ENFORCING, case).differs == {}
    assert try_case(SHADOW, case).differs == {}


def test_every_rule_is_reached_by_a_shipped_case():
    reached = {case.expected.get("rule") for case in read_cases("shipped")}
    assert {rule.name for rule in ENFORCING.rules} <= reached


def test_every_rule_that_a_customer_notices_ends_says_why_and_names_an_appeal():
    for rule in ENFORCING.rules:
        if rule.do.kind in REFUSES:
            assert rule.appeal
            assert rule.message
            assert rule.expires or rule.when == "suspended", rule.name
        assert rule.reason


def test_no_answer_is_altered_and_nothing_is_covert():
    assert not ENFORCING.covert
    assert not [rule.name for rule in ENFORCING.rules if rule.do.kind in ALTERS or not rule.do.announce]


def test_the_addresses_that_ship_are_told_to_be_replaced():
    assert len(placeholders(ENFORCING)) == 2


@settings(max_examples=300, deadline=None)
@given(REQUESTS, st.sampled_from([0.0, 15 * DAY]))
def test_nobody_is_refused_who_should_not_be(asked: Attributes, later: float):
    decision = decided(asked, later)
    if asked.licensed or asked.declared_use or asked.verification == "business" or asked.verified_since >= 0:
        assert not decision.effect.refused
    if asked.verdict == "watch" or (asked.verdict in ("clear", "suspect") and not asked.campaign_approved):
        assert not decision.effect.refused
    new = 0 <= asked.account_age_days < 14
    if not asked.member and not (asked.match_content and (asked.match_families >= 2 or asked.match_artefact or new)):
        assert not decision.effect.refused
    if decision.effect.refused:
        assert decision.appeal
        assert decision.expires is not None
    assert decision.action not in ALTERS


@settings(max_examples=200, deadline=None)
@given(REQUESTS)
def test_nobody_is_suspended_without_a_person(asked: Attributes):
    if not asked.campaign_approved:
        assert decided(asked).action.value not in ("suspend", "deny")


@settings(max_examples=100, deadline=None)
@given(REQUESTS)
def test_the_dry_run_says_what_the_enforcing_policy_does(asked: Attributes):
    dry = PolicyEngine(SHADOW).decide(asked, LocalBudgets(), NOON)
    real = decided(asked)
    assert (dry.action, dry.rule, dry.would) == (real.action, real.rule, real.effect)
    assert not dry.effect.refused


def test_country_language_and_address_are_no_attributes():
    names = {field.name for field in fields(Attributes)}
    assert not names & {"country", "language", "ip", "asn", "timezone", "nationality"}
