"""The reference of the monitor says what the code reads and tells."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from stillwatch.apps.integrity import monitor_config as config
from stillwatch.apps.integrity.monitor_metrics import open_registry
from stillwatch.apps.integrity.prompts import FIELDS, read_prompts
from stillwatch.apps.integrity.tool_policy import PolicyFile, ToolPart
from stillwatch.integrity.monitor.channels import CHANNELS
from stillwatch.integrity.toolcalls.packages import ECOSYSTEMS
from tests.test_docs import first_cells, read, section

PAGE = read("reference/monitor.md")


@pytest.mark.parametrize(
    ("title", "part"),
    [("Endpoints", config.EndpointPart), ("Webhook", config.WebhookPart), ("The file", config.MonitorConfig)],
)
def test_every_setting_is_documented_and_no_other(title: str, part: type[BaseModel]) -> None:
    assert sorted(first_cells(section(PAGE, title).split("###")[0])) == sorted(part.model_fields)


def test_metrics_and_their_settings_are_documented() -> None:
    told = first_cells(section(PAGE, "Prometheus"))
    _, collector = open_registry()
    metrics = [each.name + ("_total" if each.type == "counter" else "") for each in collector.collect()]
    assert sorted(told) == sorted([*config.PrometheusPart.model_fields, *metrics])


def test_channels_are_documented_with_what_they_count_for() -> None:
    rows = [line.split("|") for line in section(PAGE, "Channels").splitlines() if line.startswith("| `")]
    assert {row[1].strip(" `"): row[3].strip().startswith("yes") for row in rows} == {
        each.name: each.identity for each in CHANNELS
    }


def test_a_tool_policy_is_documented() -> None:
    tools = [field.alias or name for name, field in ToolPart.model_fields.items()]
    text = section(PAGE, "Tool policy")
    assert sorted(first_cells(text)) == sorted([*PolicyFile.model_fields, *tools])
    assert set(ECOSYSTEMS) <= set(re.findall(r"`(\w+)`", text))


def test_prompts_are_documented_and_those_that_ship_are_as_many_as_is_said() -> None:
    assert set(first_cells(section(PAGE, "Prompts"))) == FIELDS
    shipped = read_prompts(None)
    plain = [prompt for prompt in shipped if not prompt.tools]
    assert (len(plain), len({prompt.family for prompt in plain}), len(shipped) - len(plain)) == (48, 4, 6)
    assert all(prompt.expect for prompt in shipped if prompt.tools)
