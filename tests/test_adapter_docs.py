"""The page of foreign formats says what the adapters declare."""

from __future__ import annotations

import re

import pytest

from stillwatch.ingest.adapters.roster import NAMES, NATIVE, ROSTER
from tests.test_docs import DOCS, read, section


@pytest.mark.parametrize("adapter", ROSTER, ids=lambda each: each.name)
def test_every_field_of_a_format_is_documented_as_it_is_read(adapter) -> None:
    text = section(read("reference/adapters.md"), adapter.title)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{ours}` | {theirs} |" for ours, theirs in adapter.mapping]
    assert f"`--format {adapter.name}`" in text


def test_every_format_is_listed_and_no_other() -> None:
    page = read("reference/adapters.md").split("\n## ")[0]
    listed = [line for line in page.splitlines() if line.startswith("| `")]
    assert listed == [f"| `{each.name}` | {each.title} | {each.source} |" for each in ROSTER]


@pytest.mark.parametrize("page", ["reference/cli.md", "howto/read-your-own-log.md"])
def test_only_formats_that_exist_are_named(page: str) -> None:
    named = set(re.findall(r"--format ([a-z]+)", (DOCS / page).read_text(encoding="utf-8")))
    assert named - set(NAMES) == set()
    if page.startswith("howto"):
        assert named == set(NAMES) - {NATIVE}
