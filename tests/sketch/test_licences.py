"""Within a licence nobody is judged; what exceeds it is marked."""

from __future__ import annotations

from typing import Any

import pytest

from stillwatch.sketch.licences import apply_licences
from tests.sketch.small import Read, at, exchange, read

ROWS = [exchange(number, "licensee" if number % 2 else "stranger", number, output_tokens=100) for number in range(200)]
ROWS += [exchange(500 + number, "colleague", number, output_tokens=100) for number in range(100)]
ROWS += [exchange(900 + number, "licensee", number, model="m-2") for number in range(5)]
ACCOUNTS = [{"account_id": name, "org_id": "firm"} for name in ("licensee", "colleague")]
ACCOUNTS += [{"account_id": "stranger", "org_id": None}]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    with read(tmp_path_factory.mktemp("engine"), ROWS, ACCOUNTS) as made:
        yield made


def marks(small: Read, *licences: dict[str, Any]) -> dict[str, str]:
    """Say what licences make of each account."""
    rows = [{"licence_id": f"L{at}", "org_id": None} | terms for at, terms in enumerate(licences)]
    table = small.licences(rows) if rows else None
    population = apply_licences(small.engine, small.exchanges, small.population, table)
    words = {}
    for name in ("licensee", "colleague", "stranger"):
        row = small.row(name)
        assert not (population.licensed[row] and population.breaks_licence[row])
        words[name] = "breaks" if population.breaks_licence[row] else "within" if population.licensed[row] else "-"
    return words


def test_a_licence_of_one_account_covers_that_account(small):
    assert marks(small, {"account_id": "licensee"}) == {"licensee": "within", "colleague": "-", "stranger": "-"}


def test_a_licence_of_an_organisation_covers_its_accounts(small):
    terms = {"org_id": "firm", "models": ["m-1"], "max_output_tokens": 1_000_000}
    assert marks(small, terms) == {"licensee": "within", "colleague": "within", "stranger": "-"}


def test_an_account_without_an_organisation_is_covered_by_none(small):
    assert marks(small, {"account_id": "licensee"})["stranger"] == "-"


def test_more_output_than_was_agreed_breaks_the_licence_of_all_it_covers(small):
    terms = {"org_id": "firm", "max_output_tokens": 15_000}  # each stays below, both together do not
    assert marks(small, terms) == {"licensee": "breaks", "colleague": "breaks", "stranger": "-"}


@pytest.mark.parametrize(
    "terms",
    [
        {"models": ["m-2"]},
        {"valid_from": at(1_000)},
        {"valid_until": at(-5)},
        {"capabilities": ["vision"]},
    ],
    ids=["other model", "not yet valid", "expired", "other capability"],
)
def test_traffic_outside_the_terms_breaks_the_licence(small, terms):
    assert marks(small, {"account_id": "licensee"} | terms)["licensee"] == "breaks"


def test_a_few_tests_of_another_model_are_tolerated(small):
    assert marks(small, {"account_id": "licensee", "models": ["m-1"]})["licensee"] == "within"


def test_without_licences_nobody_is_marked(small):
    assert set(marks(small).values()) == {"-"}


def test_a_licence_of_an_account_that_never_came_marks_nobody(small):
    assert set(marks(small, {"account_id": "absent"}).values()) == {"-"}


def test_one_broken_licence_outweighs_another_that_is_kept(small):
    kept, broken = {"account_id": "licensee", "models": None}, {"account_id": "licensee", "models": ["m-2"]}
    assert marks(small, kept, broken)["licensee"] == "breaks"
