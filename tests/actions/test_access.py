"""What was promised is known before anything is scored: licences with their volume, declared uses, verifications."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from stillwatch.actions.access import Access, Account, Declared, Licence, accounts_of, licences_of
from stillwatch.actions.declarations import read_declared
from stillwatch.ingest.columns import ACCOUNT_COLUMNS, LICENCE_COLUMNS
from stillwatch.model import InputRefused
from tests.actions.policies import DAY, NOON

ORG = Account("a-1", "org-1", "team", "payment", "startup", NOON - 3 * DAY)


def test_an_account_is_what_its_row_says_and_an_unknown_one_is_nothing():
    access = Access([ORG])
    known = access.standing("a-1", "opal-4", "coding", NOON)
    assert (known.organisation, known.plan, known.verification, known.programme) == (
        "org-1",
        "team",
        "payment",
        "startup",
    )
    assert known.account_age_days == 3.0
    unknown = access.standing("a-2", "opal-4", "coding", NOON)
    assert (unknown.verification, unknown.account_age_days, unknown.licensed) == ("none", -1.0, False)


@pytest.mark.parametrize(
    ("model", "capability", "at", "licensed"),
    [
        ("opal-4", "coding", NOON, True),
        ("opal-5", "coding", NOON, False),
        ("opal-4", "grading", NOON, False),
        ("opal-4", "coding", NOON - 11 * DAY, False),
        ("opal-4", "coding", NOON + 11 * DAY, False),
    ],
)
def test_a_licence_covers_what_it_says_and_while_it_says(model: str, capability: str, at: float, licensed: bool):
    licence = Licence(
        "l-1", organisation="org-1", models=frozenset({"opal-4"}), capabilities=frozenset({"coding"}),
        since=NOON - 10 * DAY, until=NOON + 10 * DAY,
    )  # fmt: skip
    standing = Access([ORG], [licence]).standing("a-1", model, capability, at)
    assert (standing.licensed, standing.licence) == (licensed, "l-1" if licensed else "")


def test_a_licence_ends_when_its_volume_is_used_and_the_next_takes_over():
    access = Access([ORG], [Licence("l-1", "org-1", max_output_tokens=1000), Licence("l-2", account="a-1")])
    assert access.standing("a-1", "m", "", NOON).licence_tokens_left in (1000, -1)
    small = Access([ORG], [Licence("l-1", "org-1", max_output_tokens=1000)])
    small.meter("l-1", 400)
    assert small.standing("a-1", "m", "", NOON).licence_tokens_left == 600
    small.meter("l-1", 700)  # an answer is not cut off: what is over is over
    assert not small.standing("a-1", "m", "", NOON).licensed
    again = Access([ORG], [Licence("l-1", "org-1", max_output_tokens=5000)]).take_over(small)
    assert again.standing("a-1", "m", "", NOON).licence_tokens_left == 3900
    assert dict(again.metered) == {"l-1": 1100}


def test_a_declared_use_is_of_an_account_or_a_whole_organisation_until_it_ends():
    access = Access([ORG], declared=[Declared("nightly evaluation", organisation="org-1", until=NOON + DAY)])
    assert access.standing("a-1", "m", "", NOON).declared_use
    assert not access.standing("a-2", "m", "", NOON).declared_use
    assert not access.standing("a-1", "m", "", NOON + DAY).declared_use


def test_a_verification_is_remembered_with_when_it_was():
    access = Access([ORG])
    access.verify("a-1", NOON)
    assert access.standing("a-1", "m", "", NOON + 2 * DAY).verified_since == 2.0
    assert access.standing("a-2", "m", "", NOON).verified_since == -1.0


def test_rows_of_the_tables_are_taken_as_detection_takes_them():
    moment = dt.datetime.fromtimestamp(NOON, dt.UTC)
    row = dict.fromkeys([column.name for column in ACCOUNT_COLUMNS]) | {"account_id": "a-1", "created_at": moment}
    assert accounts_of([row, {"account_id": "a-2"}]) == [Account("a-1", created=NOON), Account("a-2")]
    row = dict.fromkeys([column.name for column in LICENCE_COLUMNS]) | {
        "licence_id": "l-1", "org_id": "org-1", "models": ["opal-4"], "valid_until": moment.replace(tzinfo=None),
    }  # fmt: skip
    assert licences_of([row]) == [Licence("l-1", "org-1", models=frozenset({"opal-4"}), until=NOON)]


def test_the_registry_of_declared_uses_is_read_and_its_last_day_is_included(tmp_path: Path):
    path = tmp_path / "declared.yaml"
    path.write_text(
        "declared:\n  - {use: evaluation, account: a-1}\n  - {use: tests, organisation: o, until: 2023-11-14}\n"
    )
    uses = read_declared(path)
    assert uses[0] == Declared("evaluation", "a-1")
    end = dt.datetime(2023, 11, 15, tzinfo=dt.UTC).timestamp()
    assert uses[1] == Declared("tests", organisation="o", until=end)


def test_a_registry_that_is_not_sound_is_refused_with_its_lines(tmp_path: Path):
    path = tmp_path / "declared.yaml"
    path.write_text("declared:\n  - use: evaluation\n  - use: x\n    acount: a-1\n")
    with pytest.raises(InputRefused, match=r"declared\.yaml:4: .*acount"):
        read_declared(path)
    path.write_text("declared:\n  - use: evaluation\n")
    with pytest.raises(InputRefused, match=r"declared\.yaml:2: names nobody"):
        read_declared(path)
