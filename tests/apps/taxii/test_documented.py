"""The reference page of the TAXII server says what its code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from stillwatch.apps.taxii.app import make_app
from stillwatch.sharing.taxii import patterns, query, settings, statuses
from stillwatch.sharing.taxii.envelope import MAX_CONTAINERS
from tests.sharing.taxii.made import service
from tests.test_docs import read, section

PAGE = "reference/taxii.md"
TABLES = {
    "Settings": settings.Settings,
    "tls": settings.TlsTable,
    "limits": settings.LimitsTable,
    "root": settings.RootTable,
    "collection": settings.CollectionTable,
    "partner": settings.PartnerTable,
}


def rows(title: str) -> list[list[str]]:
    text = section(read(PAGE), title)
    if title == "Settings":
        text = text.split("\n### ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("title", list(TABLES))
def test_every_setting_is_documented_with_its_default(title: str) -> None:
    fields = {name: field for name, field in TABLES[title].model_fields.items() if name != "folder"}
    assert {row[0].strip("`"): _told(row[1]) for row in rows(title)} == {
        name: _default(field) for name, field in fields.items()
    }


def _default(field: Any) -> object:
    if field.is_required():
        return "required"
    value = field.default
    return None if value in (None, "", ()) or isinstance(value, BaseModel) else str(value).lower()


def _told(cell: str) -> object:
    """What the column of defaults says; nothing, none, or made once mean that it may be left out."""
    return {"none": None, "": None, "made once": None}.get(cell, cell.strip("`"))


def test_every_endpoint_is_documented_with_its_methods(tmp_path: Path) -> None:
    names = {"root": "ROOT", "name": "ID", "object": "OBJECT", "status": "STATUS"}
    served = set()
    with service(tmp_path) as (taxii, _):
        for route in make_app(taxii).routes:
            path = re.sub(r"\{(\w+)\}", lambda found: names[found[1]], route.path)  # type: ignore[attr-defined]
            served |= {f"{method} {path}" for method in route.methods if method != "HEAD"}  # type: ignore[attr-defined]
    assert {row[0].strip("`") for row in rows("Endpoints")} == served


def test_fixed_limits_are_documented_as_they_are() -> None:
    page = read(PAGE)
    for number in (
        MAX_CONTAINERS,
        query.MATCHED,
        patterns.LONGEST,
        patterns.DEEPEST,
        statuses.LISTED,
    ):
        assert f"{number:,}" in page


def test_the_settings_of_the_how_to_are_good_ones(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", read("howto/run-a-taxii-server.md"), re.S)
    assert found is not None
    assert tomllib.loads(found[1])
    (tmp_path / "taxii.toml").write_text(found[1])
    assert settings.read_settings(tmp_path / "taxii.toml").partner[0].name == "north"
