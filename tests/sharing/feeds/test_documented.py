"""docs/reference/feeds.md says what the code does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.sharing.admiralty import CREDIBILITY, RELIABILITY
from stillwatch.sharing.feeds import settings
from stillwatch.sharing.feeds.grading import AT_LEAST, DEEPEST, SAYS
from stillwatch.sharing.feeds.lists import MISP_TYPES
from stillwatch.sharing.feeds.store import MOST_QUARANTINED
from stillwatch.sharing.feeds.values import ARTEFACT_DAYS, LONGEST
from stillwatch.sharing.feeds.words import KINDS
from tests.sharing.feeds.made import feeds
from tests.test_docs import read, section

PAGE = "reference/feeds.md"
TABLES = {
    "## Settings": settings.Settings,
    "### partner": settings.PartnerTable,
    "### source": settings.SourceTable,
    "### limits": settings.LimitsTable,
}


def rows(text: str) -> list[list[str]]:
    return [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in text.splitlines() if "| `" in line]


@pytest.mark.parametrize("title", TABLES)
def test_every_setting_is_documented_with_its_default(title: str) -> None:
    text = section(read(PAGE), title.lstrip("# ")).split("\n### ")[0]
    told = {row[0]: row[1] for row in rows(text)}
    assert list(told) == list(TABLES[title].model_fields)
    for name, field in TABLES[title].model_fields.items():
        default = field.default
        if field.is_required():
            assert told[name] == "required"
        elif isinstance(default, str | int | bool):
            assert told[name] in ("none" if default == "" else str(default), json.dumps(default))


def test_the_arithmetic_is_documented_as_it_is() -> None:
    told = {row[0]: row[1:] for row in rows(section(read(PAGE), "Arithmetic"))}
    numbers = {name: float(cells[0]) for name, cells in told.items()}
    assert numbers == SAYS | RELIABILITY | {str(grade): share for grade, share in CREDIBILITY.items()}
    assert [(int(told[str(grade)][1]), grade) for _, grade in AT_LEAST] == list(AT_LEAST)
    assert f"{DEEPEST} steps" in read(PAGE)


def test_what_is_taken_is_documented() -> None:
    text = section(read(PAGE), "What is taken")
    for name in (*KINDS, *(name for name, kind in MISP_TYPES.items() if kind)):
        assert f"`{name}`" in text
    for number in (f"{LONGEST} days", f"{ARTEFACT_DAYS} days", f"{MOST_QUARANTINED:,}"):
        assert number in text


def test_every_file_of_the_folder_is_documented(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("")
    with feeds(tmp_path, '[[partner]]\nname = "n"\n[[partner.source]]\ntype = "stix"\npath = "x"\n') as one:
        made = {path.name for path in one.store.folder.iterdir()}
    assert made <= {row[0] for row in rows(section(read(PAGE), "Storage"))}
