"""The lab's page names every scenario, preset, evasion, combination, assumption and look-alike, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stillwatch.lab.cast import CAST
from stillwatch.lab.evasions.catalogue import combinations, evasions
from stillwatch.lab.evasions.cost import assumptions
from stillwatch.lab.population import preset_names
from stillwatch.lab.scenario import DEFAULT, scenario_names

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "lab.md").read_text(encoding="utf-8")


def rows(title: str) -> dict[str, list[str]]:
    """The table under a heading: the name in its first column, and the other cells."""
    part = re.split(r"^#+ ", PAGE.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines() if "| `" in line[:4]]
    return {first.strip("` "): rest for first, *rest in cells}


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Scenarios", scenario_names()),
        ("Presets", preset_names()),
        ("Evasions", list(evasions())),
        ("Combinations", list(combinations())),
        ("Cost", list(assumptions())),
        ("Look-alikes", [part.name for part in CAST]),
    ],
)
def test_every_one_is_documented_and_no_other(title: str, names: list[str]) -> None:
    assert sorted(rows(title)) == sorted(names)


def test_the_scenarios_of_the_demonstration_come_first() -> None:
    assert list(rows("Scenarios"))[: len(DEFAULT)] == list(DEFAULT)


def test_what_an_evasion_does_is_said_as_it_is_declared() -> None:
    said = rows("Evasions")
    assert {name: said[name][:2] for name in said} == {e.name: [e.does, e.full] for e in evasions().values()}


def test_every_assumption_is_documented_with_its_value_unit_and_source() -> None:
    declared = {one.name: [f"{one.value:g}", one.unit, one.source] for one in assumptions().values()}
    assert {name: [cell.strip(" |") for cell in cells] for name, cells in rows("Cost").items()} == declared
