"""A policy file is checked whole when it is read: each thing that is wrong, with its line and its mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.actions.decision import ActionKind
from stillwatch.actions.policy_file import examine, read_policy
from stillwatch.actions.rules import Rate
from stillwatch.model import InputRefused
from tests.actions.policies import TOP, policy_of, problems_of

SOUND = "{name: a, when: member, do: observe, reason: x}"
HEAD = len(TOP.splitlines()) + 1  # lines before the first rule


def test_reads_every_kind_of_action_with_its_parameters():
    rules = policy_of("""
        - {name: a, when: member, do: allow, reason: x}
        - {name: b, when: member, do: {action: limit, per_account: {requests: [5 per 10s, 100 per day]},
           per_campaign: {tokens: 1_000 per 2h}}, reason: x}
        - {name: c, when: member, do: {action: lower-output, max_output_tokens: 64, drop: [reasoning]}, reason: x}
        - {name: d, when: member, do: {action: drop-logprobs, also: [reasoning]}, reason: x, expires: 14d}
        - {name: e, when: member, do: {action: deny, models: ["opal-*"], capabilities: [coding]}, reason: x}
        - {name: f, when: member, do: {action: require-verification, level: payment}, reason: x, approval: required}
        - {name: g, do: suspend, reason: x, scope: campaign}
    """).rules
    assert [rule.do.kind for rule in rules] == [
        ActionKind.ALLOW, ActionKind.LIMIT, ActionKind.LOWER_OUTPUT, ActionKind.DROP_LOGPROBS, ActionKind.DENY,
        ActionKind.REQUIRE_VERIFICATION, ActionKind.SUSPEND,
    ]  # fmt: skip
    assert rules[1].do.per_account.requests == (Rate(5, 10.0), Rate(100, 86_400.0))
    assert rules[1].do.per_campaign.tokens == (Rate(1000, 7200.0),)
    assert (rules[2].do.max_output_tokens, rules[2].do.drop) == (64, {"reasoning"})
    assert rules[3].do.drop == {"reasoning", "logprobs"}
    assert rules[3].expires == 14 * 86_400
    assert rules[5].approval


def test_shadow_is_the_mode_of_a_policy_that_does_not_say():
    policy, _ = examine("version: 1\nrules: []\n")
    assert policy is not None
    assert (policy.mode, policy.covert, policy.on_error) == ("shadow", False, ActionKind.OBSERVE)


def test_all_that_is_wrong_is_said_in_one_go_each_with_its_line():
    said = problems_of("""\
        - name: first
          wen: member
          do: observe
          reason: x
        - name: second
          when: p > 1
          do: {action: limit, per_account: {requests: 5 a week}}
          reason: Not A Code
        - name: third
          when: verdit == "watch"
          do: explode
          reason: x
          expires: 14
    """)
    assert [int(each.split(":")[1]) - HEAD for each in said] == [2, 6, 7, 8, 10, 11, 13]
    words = (
        "did you mean when",
        "write 3.0",
        "a rate such as",
        "lower-case",
        "near it are verdict",
        "expected an action",
        "14d",
    )
    assert all(word in each for word, each in zip(words, said, strict=True)), said


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ('verdict == 3', "quote texts"),
        ('account_age_days < 3', "write 3.0 for a fraction"),
        ('match_families >= 2.0', "3 for a whole number"),
        ('model in [1, 2]', "quote texts"),
        ('p', "expected yes or no"),
        ('nope', "unknown attribute 'nope'"),
        ('p >', "syntax error"),
        ('dyn(model) > 3', "dyn() hides types"),
        ('member) || (true', "syntax error"),
        ('"1 > 2"', "expected yes or no"),
        ('1 > 2', "never matches"),
        ('1 / 0 > 2', "never matches"),
        ("(" * 40 + "member" + ")" * 40, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_condition_that_is_not_sound_is_refused(when: str, words: str):
    rule = f"- name: one\n  when: {when!r}\n  do: observe\n  reason: x\n"
    (said,) = problems_of(rule)
    assert said.startswith(f"policy.yaml:{HEAD + 2}: when of rule 'one': ")
    assert words in said


def test_the_line_of_a_fault_within_a_block_of_text_is_its_own():
    (said,) = problems_of("""\
        - name: one
          when: |
            p > 0.5 &&
            verdict == 3
          do: observe
          reason: x
    """)
    assert said.startswith(f"policy.yaml:{HEAD + 4}: ")


def test_a_rule_after_one_that_always_matches_is_refused():
    (said,) = problems_of("""\
        - {name: all, do: observe, reason: x}
        - {name: later, when: member, do: observe, reason: x}
    """)
    assert (
        said
        == f"policy.yaml:{HEAD + 2}: rule 'later': is never reached, since 'all' before it always matches; move it up"
    )


@pytest.mark.parametrize("extra", ["approval: required", "expires: 3d"])
def test_a_rule_after_one_that_waits_or_runs_out_is_reached(extra: str):
    assert problems_of(f"""\
        - {{name: all, do: observe, reason: x, {extra}}}
        - {{name: later, when: member, do: observe, reason: x}}
    """) == []  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (f"{SOUND}\n- {SOUND}", "has this name"),
        ("{name: a, name: b, when: member, do: observe, reason: x}", "stands here and on line"),
        ("{name: a, when: member, do: limit, reason: x}", "limits nothing"),
        ("{name: a, when: member, do: {action: drop-reasoning, announce: false}, reason: x}", "covert: allowed"),
        ("{name: a, when: member, do: {action: lower-output, max_output_tokens: 0}, reason: x}", "greater than"),
        ("{name: a, when: member, do: lower-output, reason: x}", "max_output_tokens: is missing"),
        ("{name: a, when: member, do: observe}", "reason: is missing"),
        ("{name: a, when: member, do: observe, reason: x, expires: 0d}", "expected a duration"),
        ("{name: a, when: member, do: observe, reason: x, expires: 2w}", "expected a duration"),
        ("{name: a, when: member, do: observe, reason: x, scope: world}", "'account' or 'campaign'"),
        ("{name: a, when: member, do: deny, reason: x, appeal: \"a\\r\\nb: c\"}", "expected an address"),
        ("{name: a, when: member, do: deny, reason: x, message: \"a\\nb\"}", "control characters"),
    ],
)  # fmt: skip
def test_a_rule_that_is_not_sound_is_refused(rule: str, words: str):
    said = problems_of(f"- {rule}\n")
    assert any(words in each for each in said), said


def test_a_refusal_without_an_address_for_appeals_is_refused():
    said = problems_of("- {name: a, when: member, do: require-verification, reason: x}\n", "version: 1\n")
    assert len(said) == 2
    assert all("add appeal:" in each or "add verify:" in each for each in said)


def test_covert_answers_need_the_top_of_the_file_and_the_rule_to_say_so():
    rule = "- {name: a, when: member, do: {action: drop-reasoning, announce: false}, reason: x}\n"
    assert not policy_of(rule, TOP + "covert: allowed\n").rules[0].do.announce
    announced = rule.replace(", announce: false", "")
    assert policy_of(announced, TOP + "covert: allowed\n").rules[0].do.announce


def test_limits_of_accounts_are_read():
    limits = policy_of("", TOP + """\
limits:
  verification: {none: {requests: 60 per 1h}}
  programmes: {education: {requests: 500 per 1h, tokens: 1_000_000 per day}}
  ramp:
    - {younger_than: 1d, limits: {requests: 100 per day}}
    - {younger_than: 7d, limits: {requests: 1000 per day}}
  organisation: {tokens: 10_000_000 per day}
  organisations: {org_1: {tokens: 90_000_000 per day}}
""").limits  # fmt: skip
    assert limits.verification["none"].requests == (Rate(60, 3600.0),)
    assert [step.younger_than for step in limits.ramp] == [1.0, 7.0]
    assert limits.organisations["org_1"].tokens[0].amount == 90_000_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no policy"),
        ("[]", "holds no policy"),
        ("a: [", "not YAML"),
        ("a: &x 1\nb: *x\n", "an alias hides"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        ("[" * 1500, "cannot be read"),
        ("on: 1", "cannot be a key"),
        ("version: 2\nrules: []", "version: is 2"),
        ("version: 1\nrules: 3", "rules: is 3"),
        ("version: 1\nrules: []\n---\nversion: 1\n", "not YAML"),
        ("version: 1\nmode: on\nrules: []\n", "mode: is True"),
        ("version: 1\nrules: [3]\n", "rule number 1"),
        ("version: 1\nrules: []\nlimits: {ramp: [{younger_than: 7d, limits: {requests: 1 per second}}, "
         "{younger_than: 1d, limits: {requests: 1 per second}}]}", "ages must rise"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_policy_is_refused_in_words(text: str, words: str):
    policy, problems = examine(text)
    assert policy is None
    assert any(words in problem.what for problem in problems), problems


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path):
    with pytest.raises(InputRefused, match="cannot be read"):
        read_policy(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputRefused, match="UTF-8"):
        read_policy(tmp_path / "bytes.yaml")
    (tmp_path / "two.yaml").write_text("version: 1\nrules: []\nmood: dark\nmode: dark\n", encoding="utf-8")
    with pytest.raises(InputRefused, match=r"two\.yaml:3: mood.*\n.*two\.yaml:4: mode"):
        read_policy(tmp_path / "two.yaml")


def test_the_digest_names_the_text():
    one, same, other = policy_of(""), policy_of(""), policy_of("", TOP + "# a word\n")
    assert one.digest == same.digest != other.digest
