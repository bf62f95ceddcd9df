"""A desk decides by its policy, after what was promised, and goes over to another without forgetting."""

from __future__ import annotations

from stillwatch.actions.access import Access, Declared, Licence
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.desk import Desk
from tests.actions.policies import DAY, NOON, TOP, policy_of

ASK = """\
- {name: licensed, when: licensed || declared_use, do: {action: allow, limits: false}, reason: licensed}
- {name: ask, when: member, do: require-verification, reason: x, expires: 14d}
"""
MEMBER = Attributes(account="a-1", organisation="org-1", member=True, campaign="c-1")


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def test_a_licence_is_looked_up_first_and_metered_until_it_is_used_up():
    desk = Desk(policy_of(ASK), access=Access(licences=[Licence("l-1", "org-1", max_output_tokens=1000)]))
    first = desk.decide(MEMBER)
    assert (first.rule, first.licence) == ("licensed", "l-1")
    desk.settle(first, 9_000, 999)
    second = desk.decide(MEMBER)
    assert second.rule == "licensed"
    desk.settle(second, None, 500)
    assert desk.decide(MEMBER).rule == "ask"
    assert dict(desk.access.metered) == {"l-1": 1499}


def test_a_licence_known_elsewhere_holds_unless_it_is_known_here_to_be_used_up():
    licensed = Attributes(account="a-1", member=True, licensed=True)
    other = Access(licences=[Licence("l-2", account="a-2")])
    assert Desk(policy_of(ASK), access=other).decide(licensed).rule == "licensed"
    metered = Access(licences=[Licence("l-1", account="a-1", max_output_tokens=1)])
    metered.meter("l-1", 1)
    assert Desk(policy_of(ASK), access=metered).decide(licensed).rule == "ask"


def test_a_declared_use_is_looked_up_before_anything_is_held_against_it():
    desk = Desk(policy_of(ASK))
    assert desk.decide(MEMBER).effect.refused
    desk.replace_access(Access(declared=[Declared("evaluation", organisation="org-1")]))
    assert desk.decide(MEMBER).rule == "licensed"


def test_a_new_policy_keeps_acts_budgets_and_failures():
    clock = Clock()
    desk = Desk(policy_of(ASK + "- {name: bad, when: exchanges_day / campaign_accounts > 1, do: observe, reason: x}\n"),
                clock=clock)  # fmt: skip
    ends = desk.decide(MEMBER).expires
    desk.decide(Attributes())
    desk.replace_policy(policy_of(ASK, TOP + "# reviewed again\n"))
    clock.now += 13 * DAY
    assert desk.decide(MEMBER).expires == ends
    assert desk.failures == {"bad": 1}


def test_a_new_access_keeps_what_was_metered_and_verified():
    desk = Desk(policy_of(ASK), access=Access(licences=[Licence("l-1", "org-1", max_output_tokens=10)]))
    desk.access.verify("a-1", NOON)
    desk.settle(desk.decide(MEMBER), 1, 10)
    desk.replace_access(Access(licences=[Licence("l-1", "org-1", max_output_tokens=10)]))
    assert desk.decide(MEMBER).rule == "ask"
    assert desk.access.standing("a-1", "", "", NOON).verified_since == 0.0
