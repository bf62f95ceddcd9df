"""docs/reference/stix.md and atlas.md say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.sharing.atlas import MITIGATIONS, TECHNIQUES
from stillwatch.sharing.case import Kind
from stillwatch.sharing.extensions import EXTENSIONS, schema
from stillwatch.sharing.leaving import FIELDS, LASTS, LEAST_ACCOUNTS, LEAST_SHOWING, SAYS, decide
from stillwatch.sharing.stix import bundle
from tests.sharing.cases import SECRET, case, terms
from tests.test_docs import first_cells, read, section

PAGE = "reference/stix.md"


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]


def test_every_object_of_a_bundle_is_documented_and_no_other() -> None:
    written = {one["type"] for one in bundle(decide(case(), terms(), SECRET))["objects"]}
    observables = {"ipv4-addr", "ipv6-addr", "autonomous-system", "domain-name", "network-traffic"}
    named = set(first_cells(section(read(PAGE), "Objects")))
    assert named == written - observables - {"x-stillwatch-prompt-template", "x-stillwatch-payment-instrument"}


def test_every_field_is_documented_with_its_level() -> None:
    told = rows(section(read(PAGE), "Fields and levels"))
    assert [(row[0].strip("`"), row[1]) for row in told] == [
        (field, f"TLP:{least.upper()}") for field, (least, _) in FIELDS.items()
    ]
    assert [bool("by name" in row[2]) for row in told] == [by_name for _, by_name in FIELDS.values()]
    text = read(PAGE)
    assert f"at least {LEAST_ACCOUNTS} accounts" in text
    assert f"at least {LEAST_SHOWING} of its accounts" in text


def test_every_kind_of_indicator_is_documented_with_how_long_it_holds() -> None:
    told = rows(section(read(PAGE), "Indicators"))
    assert [row[:3] for row in told] == [[f"`{kind.value}`", str(LASTS[kind]), str(SAYS[kind])] for kind in Kind]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_extension_and_property_is_documented(extension: str) -> None:
    one, told = EXTENSIONS[extension], section(read(PAGE), EXTENSIONS[extension].name)
    assert extension in told
    assert f"({one.kind} on `{one.on}`)" in told
    held = schema(extension)["properties"]
    own = held["extensions"]["properties"][extension]["properties"] if one.kind == "property-extension" else held
    names = [name for name in own if name not in ("extension_type", "type", "extensions")]
    assert first_cells(told) == names


def test_every_technique_and_course_of_action_is_documented() -> None:
    page = read("reference/atlas.md")
    assert rows(section(page, "Techniques")) == [
        [f"`{name}`", one.name, one.tactic, one.shown_by] for name, one in TECHNIQUES.items()
    ]
    for each in MITIGATIONS:
        assert f"| {each.name} | {each.mitigation_id} | {', '.join(each.against)} |" in page


def test_each_schema_is_a_file_named_by_its_extension() -> None:
    from stillwatch.sharing.extensions import SCHEMAS

    assert {path.stem for path in Path(SCHEMAS).glob("*.json")} == set(EXTENSIONS)
