"""The pages about plugs show the very files that the tests run, and the fields that the decide API has."""

from __future__ import annotations

import re

import pytest

from stillwatch.apps.gateway.plugs.contract import Ended, ExchangeFields, RawRequest, decision_json
from stillwatch.apps.gateway.seams import Arrival
from tests.apps.gateway.plugs.drivers import HOWTO, ROOT
from tests.apps.gateway.plugs.table import DECISIONS

PAGE = (ROOT / "docs" / "reference" / "decide-api.md").read_text(encoding="utf-8")


def test_the_page_about_litellm_shows_the_configuration_that_is_tested() -> None:
    shown = re.findall(r"```yaml\n(.*?)```", (HOWTO / "plug-into-litellm.md").read_text(encoding="utf-8"), re.S)
    assert shown == [(HOWTO / "litellm.yaml").read_text(encoding="utf-8")]


def test_the_page_about_envoy_leads_to_the_configuration_that_is_tested() -> None:
    assert "](envoy.yaml)" in (HOWTO / "plug-into-envoy.md").read_text(encoding="utf-8")
    assert (HOWTO / "envoy.yaml").exists()


@pytest.mark.parametrize("page", ["plug-into-envoy.md", "use-the-middleware.md"])
def test_the_code_of_a_page_is_code(page: str) -> None:
    for block in re.findall(r"```python\n(.*?)```", (HOWTO / page).read_text(encoding="utf-8"), re.S):
        compile(block, page, "exec")


def rows(title: str) -> list[str]:
    part = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.parametrize(
    ("title", "record"),
    [("By its fields", ExchangeFields), ("By its request", RawRequest), ("POST /v1/outcome", Ended)],
)
def test_every_field_of_the_decide_api_is_documented_and_no_other(title: str, record: type) -> None:
    assert sorted(rows(title)) == sorted(record.model_fields)  # type: ignore[attr-defined]


def test_every_field_of_a_decision_is_documented_and_no_other() -> None:
    said = decision_json(Arrival("x", 0, "a", "openai", "responses"), DECISIONS["busy"])
    assert sorted(rows("The decision")) == sorted(said)
