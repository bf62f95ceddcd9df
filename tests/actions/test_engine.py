"""What a policy decides: the first rule that matches, with what waits, runs out, is taken back, and cannot be asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.actions.acts import Act, Acts
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.decision import NOTHING, ActionKind, Effect
from stillwatch.actions.engine import PolicyEngine
from tests.actions.policies import DAY, NOON, TOP, engine_of, policy_of

MEMBER = Attributes(account="a-1", campaign="c-1", member=True, verdict="distillation")
SHADOW = TOP.replace("enforce", "shadow")


def test_nothing_matches_and_nothing_is_done():
    engine, budgets = engine_of("- {name: a, when: member, do: deny, reason: x}\n")
    decision = engine.decide(Attributes(), budgets, NOON)
    assert (decision.action, decision.effect, decision.rule) == (ActionKind.ALLOW, NOTHING, "")
    assert decision.policy == engine.policy.digest


def test_the_first_rule_that_matches_speaks_and_says_why():
    engine, budgets = engine_of("""\
        - {name: other, when: suspended, do: suspend, reason: gone}
        - {name: ours, when: member, do: deny, reason: not-open, message: Not open., appeal: "mailto:us@us.example"}
        - {name: later, when: member, do: observe, reason: y}
    """)
    decision = engine.decide(MEMBER, budgets, NOON)
    assert decision.effect == Effect(refused=True, status=403)
    assert (decision.rule, decision.reason, decision.message) == ("ours", "not-open", "Not open.")
    assert (decision.appeal, decision.campaign_id) == ("mailto:us@us.example", "c-1")


@pytest.mark.parametrize(
    ("do", "effect"),
    [
        ("drop-reasoning", Effect(drop=frozenset({"reasoning"}))),
        ("{action: lower-output, max_output_tokens: 9}", Effect(max_output_tokens=9)),
        ("suspend", Effect(refused=True, status=403)),
        ("require-verification", Effect(refused=True, status=403)),
    ],
)
def test_a_dry_run_does_nothing_and_says_what_it_would(do: str, effect: Effect):
    rule = f"- {{name: a, when: member, do: {do}, reason: x}}\n"
    dry = PolicyEngine(policy_of(rule, SHADOW)).decide(MEMBER, LocalBudgets(), NOON)
    real = PolicyEngine(policy_of(rule)).decide(MEMBER, LocalBudgets(), NOON)
    assert (dry.effect, dry.would) == (NOTHING, effect)
    assert (real.effect, real.would) == (effect, NOTHING)
    assert dry.action is real.action


def test_altered_answers_are_announced_unless_file_and_rule_say_otherwise():
    rule = "- {name: a, when: member, do: {action: drop-reasoning, announce: false}, reason: x}\n"
    engine, budgets = engine_of(rule, TOP + "covert: allowed\n")
    assert not engine.decide(MEMBER, budgets, NOON).effect.announce
    engine, budgets = engine_of(rule.replace(", announce: false", ""), TOP + "covert: allowed\n")
    assert engine.decide(MEMBER, budgets, NOON).effect.announce


WAITING = """\
    - {name: hard, when: member, do: suspend, reason: x, approval: required, scope: campaign}
    - {name: mild, when: member && p > 0.5, do: require-verification, reason: y}
"""


def test_a_rule_that_waits_for_approval_proposes_and_the_next_speaks():
    engine, budgets = engine_of(WAITING)
    decision = engine.decide(replace(MEMBER, p=0.9), budgets, NOON)
    assert (decision.rule, decision.proposes) == ("mild", ("hard",))
    alone = engine.decide(MEMBER, budgets, NOON)
    assert (alone.action, alone.rule, alone.effect, alone.proposes) == (ActionKind.OBSERVE, "hard", NOTHING, ("hard",))


def test_an_approved_campaign_is_acted_on_at_once_with_all_its_accounts():
    engine, budgets = engine_of(WAITING)
    assert engine.decide(replace(MEMBER, campaign_approved=True), budgets, NOON).rule == "hard"
    engine.acts.approve("hard", "c-1", NOON + DAY, NOON)
    for account in ("a-1", "a-2", "a-3"):
        assert engine.decide(replace(MEMBER, account=account), budgets, NOON).action is ActionKind.SUSPEND
    assert engine.decide(replace(MEMBER, campaign="c-2"), budgets, NOON).action is ActionKind.OBSERVE
    assert engine.decide(MEMBER, budgets, NOON + 2 * DAY).action is ActionKind.OBSERVE


def test_what_a_person_took_back_stays_undone_until_a_person_approves_it_again():
    engine, budgets = engine_of("- {name: ask, when: member, do: require-verification, reason: y}\n")
    assert engine.decide(MEMBER, budgets, NOON).effect.refused
    engine.acts.withdraw("ask", "a-1", NOON)
    decision = engine.decide(MEMBER, budgets, NOON)
    assert (decision.action, decision.proposes) == (ActionKind.ALLOW, ())
    assert engine.decide(replace(MEMBER, account="a-2"), budgets, NOON).effect.refused
    engine.acts.approve("ask", "a-1", NOON + DAY, NOON)
    assert engine.decide(MEMBER, budgets, NOON).effect.refused


RUNNING_OUT = "- {name: ask, when: member, do: require-verification, reason: y, expires: 14d}\n"


def test_an_act_runs_out_from_when_it_began_and_then_proposes_itself():
    engine, budgets = engine_of(RUNNING_OUT)
    first = engine.decide(MEMBER, budgets, NOON)
    assert first.expires == NOON + 14 * DAY
    assert engine.decide(MEMBER, budgets, NOON + 13.9 * DAY).expires == first.expires
    later = engine.decide(MEMBER, budgets, NOON + 14 * DAY)
    assert (later.action, later.effect, later.proposes) == (ActionKind.OBSERVE, NOTHING, ("ask",))
    assert engine.decide(replace(MEMBER, account="a-2"), budgets, NOON + 14 * DAY).effect.refused
    engine.acts.approve("ask", "a-1", NOON + 99 * DAY, NOON + 15 * DAY)
    assert engine.decide(MEMBER, budgets, NOON + 15 * DAY).expires == NOON + 29 * DAY


def test_a_dry_run_does_not_use_up_the_time_of_what_is_done_later():
    acts = Acts()
    PolicyEngine(policy_of(RUNNING_OUT, SHADOW), acts).decide(MEMBER, LocalBudgets(), NOON)
    later = PolicyEngine(policy_of(RUNNING_OUT), acts).decide(MEMBER, LocalBudgets(), NOON + 20 * DAY)
    assert later.effect.refused


def test_acts_outlive_the_engine_and_the_process():
    engine, budgets = engine_of(RUNNING_OUT)
    engine.decide(MEMBER, budgets, NOON)
    engine.acts.withdraw("other", "c-1", NOON)
    again = Acts(engine.acts.all())
    assert set(again.all()) == {Act("ask", "a-1", NOON), Act("other", "c-1", NOON, True, withdrawn=True)}
    assert PolicyEngine(engine.policy, again).decide(MEMBER, budgets, NOON + 15 * DAY).effect == NOTHING


def test_a_verified_account_is_not_asked_again_nor_one_at_the_level_asked_for():
    engine, budgets = engine_of(
        "- {name: ask, when: member, do: {action: require-verification, level: payment}, reason: y}\n"
    )
    assert engine.decide(MEMBER, budgets, NOON).effect.refused
    for known in ({"verified_since": 0.0}, {"verification": "payment"}, {"verification": "business"}):
        assert not engine.decide(replace(MEMBER, **known), budgets, NOON).effect.refused
    assert engine.decide(replace(MEMBER, verification="phone"), budgets, NOON).effect.refused


def test_a_denial_of_models_concerns_these_alone():
    engine, budgets = engine_of("""\
        - {name: no-opal, when: member, do: {action: deny, models: ["opal-*", onyx]}, reason: x}
        - {name: no-code, when: member, do: {action: deny, capabilities: [coding]}, reason: x}
    """)
    for model, capability, rule in (
        ("opal-4", "", "no-opal"), ("onyx", "coding", "no-opal"), ("onyx-2", "coding", "no-code"), ("onyx-2", "", ""),
    ):  # fmt: skip
        asked = replace(MEMBER, model=model, capability=capability)
        assert engine.decide(asked, budgets, NOON).rule == rule


@pytest.mark.parametrize(("on_error", "refused"), [("allow", False), ("observe", False), ("deny", True)])
def test_a_rule_that_cannot_be_asked_is_counted_and_the_policy_says_what_then(on_error: str, refused: bool):
    engine, budgets = engine_of(
        "- {name: broken, when: exchanges_day / campaign_accounts > 3, do: suspend, reason: x}\n",
        TOP + f"on_error: {on_error}\n",
    )
    decision = engine.decide(MEMBER, budgets, NOON)
    assert (decision.action.value, decision.effect.refused, decision.reason) == (on_error, refused, "policy-error")
    assert engine.failures == {"broken": 1}
    assert not engine.decide(replace(MEMBER, campaign_accounts=2), budgets, NOON).effect.refused
    assert engine.failures == {"broken": 1}


class Broken(LocalBudgets):
    def take(self, requests: object, tokens: object, now: float) -> None:
        raise OSError("no room in the room")


def test_whatever_breaks_no_request_fails_by_its_policy():
    engine, _ = engine_of(
        "- {name: a, when: member, do: {action: limit, per_account: {requests: 1 per s}}, reason: x}\n"
    )
    assert engine.decide(MEMBER, Broken(), NOON).reason == "policy-error"
    assert engine.decide(replace(MEMBER, member="yes"), LocalBudgets(), NOON).reason == "policy-error"
    assert engine.failures == {"OSError": 1, "a": 1}


LIMITED = """\
    - name: shared
      when: member
      do: {action: limit, per_campaign: {requests: 3 per 1h, tokens: 1000 per 1h}}
      reason: shared-budget
"""


def test_a_pooled_budget_is_one_for_all_accounts_of_a_campaign():
    engine, budgets = engine_of(LIMITED)
    accounts = [replace(MEMBER, account=f"a-{at}") for at in range(5)]
    refused = [engine.decide(each, budgets, NOON).effect.refused for each in accounts]
    assert refused == [False, False, False, True, True]
    last = engine.decide(accounts[0], budgets, NOON)
    assert (last.action, last.rule, last.reason) == (ActionKind.LIMIT, "shared", "shared-budget")
    assert last.effect == Effect(True, 429, 1200)
    assert not engine.decide(replace(MEMBER, campaign="c-2"), budgets, NOON).effect.refused
    assert not engine.decide(accounts[4], budgets, NOON + 1200).effect.refused


def test_tokens_are_charged_when_the_answer_is_over_with_what_it_cost():
    engine, budgets = engine_of(LIMITED)
    first = engine.decide(MEMBER, budgets, NOON)
    engine.settle(first, budgets, 1500, NOON + 1)
    short = engine.decide(replace(MEMBER, account="a-2"), budgets, NOON + 1)
    assert short.effect.status == 429
    assert 1800 <= short.effect.retry_after <= 1804
    assert not engine.decide(MEMBER, budgets, NOON + 1810).effect.refused


def test_a_dry_run_keeps_the_same_budgets_without_refusing():
    engine, budgets = engine_of(LIMITED, SHADOW)
    decisions = [engine.decide(MEMBER, budgets, NOON) for _ in range(5)]
    assert [each.would.refused for each in decisions] == [False, False, False, True, True]
    assert not any(each.effect.refused for each in decisions)
    engine.settle(decisions[-1], budgets, 10**9, NOON)  # would not have been answered: costs nothing
    assert not engine.decide(MEMBER, budgets, NOON + 1200).would.refused


ACCESS = TOP + """\
limits:
  verification: {none: {requests: 2 per 1h}, payment: {requests: 4 per 1h}}
  programmes: {education: {requests: 5 per 1h}}
  ramp: [{younger_than: 1d, limits: {requests: 1 per 1h}}, {younger_than: 7d, limits: {requests: 3 per 1h}}]
  organisation: {requests: 6 per 1h}
  organisations: {big: {requests: 9 per 1h}}
"""  # fmt: skip


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        ({}, 2),
        ({"verification": "payment"}, 4),
        ({"verification": "business"}, 20),
        ({"programme": "education"}, 5),
        ({"programme": "unheard-of"}, 2),
        ({"programme": "education", "account_age_days": 0.5}, 1),
        ({"programme": "education", "account_age_days": 6.9}, 3),
        ({"programme": "education", "account_age_days": 7.0}, 5),
        ({"verification": "business", "organisation": "small"}, 6),
        ({"verification": "business", "organisation": "big"}, 9),
        ({"licensed": True}, 20),
    ],
)  # fmt: skip
def test_limits_of_accounts_hold_whatever_the_rules_say(who: dict[str, object], allowed: int):
    engine, budgets = engine_of(
        "- {name: licensed, when: licensed, do: {action: allow, limits: false}, reason: licensed}\n", ACCESS
    )
    asked = Attributes(account="a-1", **who)  # type: ignore[arg-type]
    decisions = [engine.decide(asked, budgets, NOON) for _ in range(20)]
    assert sum(not each.effect.refused for each in decisions) == allowed
    if allowed < 20:
        assert decisions[-1].rule.startswith("limits: ")
        assert decisions[-1].reason == "limit-reached"


def test_an_organisation_shares_its_limit_over_its_accounts():
    engine, budgets = engine_of("", ACCESS)
    asked = [Attributes(account=f"a-{at}", organisation="small", verification="business") for at in range(8)]
    assert [engine.decide(each, budgets, NOON).effect.refused for each in asked] == [False] * 6 + [True] * 2


REQUESTS = st.builds(
    Attributes, account=st.sampled_from(["a", "b"]), campaign=st.sampled_from(["", "c"]), member=st.booleans(),
    p=st.floats(0, 1), campaign_approved=st.booleans(), verified_since=st.sampled_from([-1.0, 2.0]),
)  # fmt: skip


ALL = policy_of(WAITING + "    " + RUNNING_OUT + LIMITED)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(REQUESTS, st.floats(0, 30)), max_size=12))
def test_the_same_requests_in_the_same_order_are_decided_the_same(asked: list[tuple[Attributes, float]]):
    engines = [(PolicyEngine(ALL), LocalBudgets()) for _ in range(2)]
    first, second = (
        [engine.decide(each, budgets, NOON + day * DAY) for each, day in asked] for engine, budgets in engines
    )
    assert first == second
