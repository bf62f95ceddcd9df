"""The reference of the policy says what the code does: every key, attribute, action, parameter and header."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.conditions import FIELDS
from stillwatch.actions.decision import ActionKind, Decision, Effect
from stillwatch.actions.policy_file import examine
from stillwatch.actions.policy_rows import DEEDS, LimitsRow, PolicyRow, RuleRow
from stillwatch.actions.refusal import headers, problem
from stillwatch.actions.trials import CaseRow, ExpectRow, read_cases, try_case
from tests.test_docs import DOCS, first_cells, read, section

PAGE = read("reference/policy.md")
KINDS = {"str": "text", "bool": "yes or no", "int": "whole number", "float": "number"}


def rows(title: str) -> list[list[str]]:
    lines = (line for line in section(PAGE, title).splitlines() if line.startswith("| `"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(
    ("title", "row"), [("The file", PolicyRow), ("A rule", RuleRow), ("Limits of accounts", LimitsRow)]
)
def test_every_key_is_documented_in_its_order_and_no_other(title: str, row: type):
    assert first_cells(section(PAGE, title)) == list(row.model_fields)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("title", "row"), [("The file", PolicyRow), ("A rule", RuleRow)])
def test_what_is_required_and_what_a_default_is_are_documented(title: str, row: type):
    for name, default, _ in rows(title):
        field = row.model_fields[name.strip("`")]  # type: ignore[attr-defined]
        assert (default == "required") == field.is_required(), name
        if default.startswith("`"):
            assert default.strip("`") == field.default, name


def test_every_attribute_is_documented_with_its_type_and_in_its_order():
    assert [(name.strip("`"), kind) for name, kind, _ in rows("Attributes")] == [
        (name, KINDS[kind]) for name, kind in FIELDS.items()
    ]
    assert list(FIELDS) == [field.name for field in fields(Attributes)]


def test_every_action_is_documented_with_its_parameters():
    told = {row[0].strip("`"): re.findall(r"`(\w+)`", row[1]) for row in rows("Actions") if len(row) == 3}
    assert list(told) == [kind.value for kind in ActionKind]
    for kind, parameters in told.items():
        assert parameters == [name for name in DEEDS[kind].model_fields if name != "action"], kind


def test_every_parameter_is_documented_and_no_other():
    told = {row[0].strip("`") for row in rows("Actions")} - set(DEEDS)
    assert told == {name for row in DEEDS.values() for name in row.model_fields} - {"action"}


def test_every_member_and_every_header_of_a_refusal_is_documented():
    decision = Decision(
        ActionKind.REQUIRE_VERIFICATION, Effect(True, 429, 90), reason="x", appeal="y", verify="z", expires=0
    )  # fmt: skip
    altered = Decision(ActionKind.DROP_REASONING, Effect(drop=frozenset({"reasoning"})), reason="x")
    told = first_cells(section(PAGE, "What customers see"))
    assert set(told) == set(problem(decision, "i")) | set(headers(decision)) | set(headers(altered))


def test_every_key_of_a_case_is_documented():
    assert first_cells(section(PAGE, "Cases")) == [
        name for name in ("name", "attributes", "times", "tokens", "after", "expect") if name in CaseRow.model_fields
    ]
    told = next(row[1] for row in rows("Cases") if row[0] == "`expect`")
    assert re.findall(r"`(\w+)`", told) == list(ExpectRow.model_fields)


def blocks(page: str, begins: str) -> list[str]:
    found = re.findall(r"^```yaml\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.M | re.S)
    return [text for text in found if text.startswith(begins)]


def test_policies_and_cases_in_the_documentation_are_sound(tmp_path: Path):
    (text,) = blocks("howto/write-a-policy.md", "version:")
    policy, problems = examine(text)
    assert policy is not None, problems
    (cases,) = blocks("reference/policy.md", "cases:")
    (tmp_path / "cases.yaml").write_text(cases, encoding="utf-8")
    from stillwatch.actions.policy_file import read_policy

    assert all(try_case(read_policy("enforcing"), case).passed for case in read_cases(tmp_path / "cases.yaml"))


def test_the_registry_in_the_documentation_is_sound(tmp_path: Path):
    from stillwatch.actions.declarations import read_declared

    (text,) = blocks("reference/policy.md", "declared:")
    (tmp_path / "declared.yaml").write_text(text, encoding="utf-8")
    assert len(read_declared(tmp_path / "declared.yaml")) == 2
