"""All conditions asked at once give what asking them one by one would."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.actions import conditions
from stillwatch.actions.asked_before import bounds
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.conditions import Conditions, RuleFailed
from stillwatch.model import MissingDependency

ATOMS = st.sampled_from(
    ["member", "!member", "match_families >= 2", "p > 0.5", 'verdict == "watch"', 'model.startsWith("opal")',
     "exchanges_day / campaign_accounts > 3", 'verification in ["none", "email"]', "true", "account_age_days < 7.0"]
)  # fmt: skip
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda it: f"({' '.join(it)})"),
    max_leaves=4,
)  # fmt: skip
REQUESTS = st.builds(
    Attributes, member=st.booleans(), match_families=st.integers(0, 4), p=st.floats(0, 1),
    verdict=st.sampled_from(["clear", "watch", "distillation"]), model=st.sampled_from(["opal-4", "onyx"]),
    exchanges_day=st.integers(0, 100), campaign_accounts=st.integers(0, 5),
    verification=st.sampled_from(["none", "phone"]), account_age_days=st.floats(-1, 30),
)  # fmt: skip


def oracle(texts: list[str], attributes: Attributes) -> int | str:
    """Each rule asked alone, in order; what cannot be evaluated ends the walk."""
    for at, text in enumerate(texts):
        try:
            if conditions.evaluate(text, attributes):
                return at
        except RuleFailed:
            return f"failed at {at}"
    return conditions.NOBODY


@settings(max_examples=150, deadline=None)
@given(st.lists(CONDITIONS, max_size=8), REQUESTS)
def test_a_walk_is_what_asking_each_rule_alone_would_be(texts: list[str], attributes: Attributes):
    try:
        found: int | str = Conditions(texts).ask(attributes).first()
    except RuleFailed as failed:
        found = f"failed at {failed.at}"
    assert found == oracle(texts, attributes)


def test_a_walk_goes_on_after_the_rule_that_it_is_told_to_pass_over():
    answers = Conditions(["member", "true", "p >= 0.0"]).ask(Attributes(member=True))
    assert [answers.first(start) for start in range(4)] == [0, 1, 2, conditions.NOBODY]


@settings(max_examples=100, deadline=None)
@given(st.lists(CONDITIONS, max_size=8), st.lists(REQUESTS, min_size=2, max_size=12))
def test_what_was_answered_before_is_answered_as_if_it_were_asked_anew(texts: list[str], requests: list[Attributes]):
    remembering = Conditions(texts)
    for attributes in requests + requests[::-1]:
        assert remembering.ask(attributes).said == Conditions(texts).ask(attributes).said


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("account_age_days < 14.0", [14.0]),
        ("(account_age_days >= 0.0 && account_age_days < 14.0) || member", [0.0, 14.0]),
        ("account_age_days < 14.0 * p", None),
        ("p + account_age_days < 14.0", None),
        ("-account_age_days < 14.0", None),
        ("account_age_days == p", None),
        ("[account_age_days].exists(each, each < 3.0)", None),
        ('model == "a//b" && account_age_days < 3.0', [3.0]),
        ("member", []),
    ],
)
def test_only_numbers_that_are_compared_with_written_ones_are_read_by_their_side(
    condition: str, found: list[float] | None
):
    assert bounds("account_age_days", [condition]) == found


def test_a_number_that_is_none_is_not_taken_for_one_at_a_bound():
    asked = Conditions(["p == 0.5"])
    assert asked.ask(Attributes(p=0.5)).first() == 0
    assert asked.ask(Attributes(p=float("nan"))).first() == conditions.NOBODY


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conditions, "REMEMBERED", 3)
    asked = Conditions(['model == "a7"'])
    found = [asked.ask(Attributes(model=f"a{at}")).first() for at in [*range(10), 7, 8]]
    assert [at for at, each in enumerate(found) if each == 0] == [7, 10]


def test_a_rule_that_fails_spoils_only_what_comes_after_it():
    asked = Conditions(["member", "exchanges_day / campaign_accounts > 1", "true"])
    assert asked.ask(Attributes(member=True)).first() == 0
    with pytest.raises(RuleFailed, match="divide by zero") as failed:
        asked.ask(Attributes()).first()
    assert failed.value.at == 1


@pytest.mark.parametrize(
    ("name", "value"), [("model", "\ud800"), ("exchanges_day", 1 << 70), ("exchanges_day", None), ("p", "high")]
)
def test_attributes_that_are_not_of_their_types_fail_in_words(name: str, value: object):
    attributes = replace(Attributes(), **{name: value})
    with pytest.raises(RuleFailed):
        Conditions([f"{name} == {name}"]).ask(attributes).first()


def test_four_hundred_rules_are_one_question():
    asked = Conditions([f'account == "a{at}"' for at in range(400)])
    assert asked.ask(Attributes(account="a399")).first() == 399


def test_a_comment_in_a_condition_hides_nothing_behind_it():
    asked = Conditions(["member // only members", "true"])
    assert asked.ask(Attributes()).first() == 1


def test_every_attribute_can_be_asked_with_its_type():
    literal = {"str": '""', "bool": "true", "int": "1", "float": "1.0"}
    for name, kind in conditions.FIELDS.items():
        assert conditions.check(f"{name} == {literal[kind]}") == []
        assert conditions.check(f"{name} == b'x'") != []


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    conditions._env.cache_clear()
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    with pytest.raises(MissingDependency, match=r"pip install 'stillwatch\[gateway\]'"):
        conditions.check("true")
