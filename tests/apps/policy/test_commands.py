"""`stillwatch policy`: what it prints, how it ends, and what it says of a gateway's log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.apps import cli
from stillwatch.apps.policy.report import COLUMNS, report_on
from stillwatch.model import InputRefused, UsageError
from tests.actions.policies import text_of

RULES = """\
- {name: ask, when: member && p > 0.5, do: require-verification, reason: verify, expires: 14d}
- {name: seen, when: member, do: observe, reason: seen}
"""
CASES = """\
cases:
  - name: a sure member is asked
    attributes: {member: true, p: 0.9}
    expect: {rule: ask, refused: true}
  - name: an unsure one is not
    attributes: {member: true}
    expect: {rule: RULE, action: observe}
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stillwatch", "policy", *map(str, arguments)])
        monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(text_of(RULES), encoding="utf-8")
    return path


def test_check_lists_the_rules_of_a_sound_policy(run: Any, policy: Path):
    status, out, err = run("check", policy)
    assert (status, err) == (0, "")
    assert "2 rules, mode enforce" in out
    assert "14 days" in out
    told = json.loads(run("check", policy, "--json")[1])
    assert [rule["name"] for rule in told["rules"]] == ["ask", "seen"]


def test_check_says_every_fault_with_its_line_and_ends_with_three(run: Any, policy: Path):
    policy.write_text(text_of(RULES.replace("0.5", "1").replace("seen}", "Seen}")), encoding="utf-8")
    status, out, err = run("check", policy)
    assert (status, out) == (3, "")
    assert f"{policy}:6: when of rule 'ask'" in err
    assert f"{policy}:7: rule 'seen': reason" in err


def test_check_of_a_shipped_policy_says_which_addresses_to_set(run: Any):
    status, out, err = run("check", "shadow")
    assert status == 0
    assert "a dry run" in out
    assert err.count("set your own") == 2


def test_test_ends_with_one_and_prints_a_diff_when_a_case_fails(run: Any, policy: Path, tmp_path: Path):
    cases = tmp_path / "cases.yaml"
    cases.write_text(CASES.replace("RULE", "seen"), encoding="utf-8")
    assert run("test", policy, cases)[:2] == (0, "2 of 2 cases came out as expected.\n")
    cases.write_text(CASES.replace("RULE", "other"), encoding="utf-8")
    status, out, _ = run("test", policy, cases)
    assert status == 1
    assert f"{cases}:5: an unsure one is not\n  - rule: other\n  + rule: seen\n1 of 2" in out
    told = json.loads(run("test", policy, cases, "--json")[1])
    assert [each["passed"] for each in told] == [True, False]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("member: true, p", "membr: true, p", "near it are member"),
        ("p: 0.9", "p: high", "expected a number"),
        ("member: true}", "member: 1}", "expected true or false"),
        ("action: observe", "action: look", "is none of allow"),
        ("rule: ask, refused: true", "", "expects nothing"),
        ("cases:", "case:", "cases"),
    ],
)
def test_cases_that_are_not_sound_are_refused(run: Any, policy: Path, tmp_path: Path, old: str, new: str, words: str):
    cases = tmp_path / "cases.yaml"
    cases.write_text(CASES.replace("RULE", "seen").replace(old, new, 1), encoding="utf-8")
    status, _, err = run("test", policy, cases)
    assert status == 3
    assert words in err


def test_the_shipped_cases_hold_for_the_shipped_policy(run: Any):
    assert run("test", "enforcing", "shipped")[0] == 0


def test_explain_says_of_every_rule_why(run: Any, policy: Path):
    status, out, _ = run("explain", policy, "--attributes", "member=true", "--attributes", "p=0.2 model=opal-4")
    assert status == 0
    assert "false: p > 0.5 (p is 0.2)" in out
    assert out.rstrip().endswith("seen: observe, not refused")
    told = json.loads(run("explain", policy, "--attributes", "member=true p=0.9", "--json")[1])
    assert [rule["stands"] for rule in told["rules"]] == ["speaks", "not asked"]
    assert told["decision"]["refused"]


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("membr=true", "near it are member"),
        ("p=high", "expected a number"),
        ("member=1", "expected true or false"),
        ("member", "NAME=VALUE"),
    ],
)
def test_explain_refuses_what_is_no_attribute(run: Any, policy: Path, word: str, words: str):
    status, _, err = run("explain", policy, "--attributes", word)
    assert status == 2
    assert words in err


def write_log(path: Path, rows: list[tuple[str | None, ...]]) -> Path:
    columns = {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(COLUMNS)}
    pq.write_table(pa.table({**columns, "exchange_id": [f"x{at}" for at in range(len(rows))]}), path)
    return path


ROWS = [
    ("allow", "require-verification", "ask", "verify", "c-1", "a-1"),
    ("allow", "require-verification", "ask", "verify", "c-1", "a-1"),
    ("allow", "require-verification", "ask", "verify", "c-1", "a-2"),
    ("observe", None, "seen", "seen", "c-1", "a-3"),
    ("limit", None, "shared", "budget", None, "a-3"),
    ("allow", None, None, None, None, "a-4"),
]


def test_report_counts_what_was_done_and_what_would_have_been_to_whom(run: Any, tmp_path: Path):
    write_log(tmp_path / "one.parquet", ROWS[:3])
    write_log(tmp_path / "two.parquet", ROWS[3:])
    found = report_on([str(tmp_path)])
    assert (found.exchanges, found.accounts) == (6, 4)
    assert (found.noticed, found.noticed_accounts, found.would_notice, found.would_notice_accounts) == (1, 1, 3, 2)
    ask = found.rules[0]
    assert (ask.rule, ask.done, ask.exchanges, ask.accounts, ask.campaigns) == ("ask", False, 3, 2, 1)
    assert [(each.account_id, each.exchanges) for each in found.by_account] == [("a-1", 2), ("a-2", 1), ("a-3", 1)]
    status, out, _ = run("report", tmp_path)
    assert status == 0
    assert "would have been: 3 of 2" in out
    assert json.loads(run("report", tmp_path / "*.parquet", "--json")[1])["would_notice"] == 3


def test_report_of_a_log_in_which_no_rule_spoke(run: Any, tmp_path: Path):
    write_log(tmp_path / "one.parquet", ROWS[5:])
    assert "No rule spoke." in run("report", tmp_path)[1]


def test_report_refuses_what_is_no_log_of_the_gateway(tmp_path: Path):
    with pytest.raises(UsageError, match="no Parquet is there"):
        report_on([str(tmp_path)])
    pq.write_table(pa.table({"account_id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(InputRefused, match="has no column decision, would"):
        report_on([str(tmp_path / "other.parquet")])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputRefused, match="cannot be read as Parquet"):
        report_on([str(tmp_path / "broken.parquet")])


def test_the_core_and_the_command_line_do_without_what_policies_need():
    needed = ("cel_expr_python", "limits", "redis", "yaml")
    code = f"import sys, stillwatch, stillwatch.apps.cli; print([n for n in {needed} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
