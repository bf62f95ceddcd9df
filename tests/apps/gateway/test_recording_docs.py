"""The reference page says what the code does: every setting, column, metric and key of a log line."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from stillwatch.actions.decision import ActionKind
from stillwatch.apps.gateway.logs import NUMBERS, TEXTS
from stillwatch.apps.gateway.metrics import METRICS
from stillwatch.apps.gateway.recording.rows import DECIDED
from stillwatch.apps.gateway.recording.settings import KafkaSettings, RecordingSettings
from tests.test_docs import first_cells, read, section


def page() -> str:
    return read("reference/recording.md")


def setting_rows(record: type[BaseModel]) -> list[str]:
    """How the table of a record reads; this is also what wrote it."""
    return [
        f"| `{name}` | {default_of(field.default, field.default_factory)} | {field.description} |"
        for name, field in record.model_fields.items()
    ]


def default_of(value: object, factory: object) -> str:
    if factory is not None:
        return "none"
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value % (1 << 20) == 0:
        return f"{value >> 20} MiB"
    return f"`{value}`" if isinstance(value, str) else f"{value:g}"


@pytest.mark.parametrize("record", [RecordingSettings, KafkaSettings])
def test_every_setting_is_documented_as_it_is(record: type[BaseModel]) -> None:
    first, _, second = section(page(), "Settings").partition("`kafka`:")
    part = first if record is RecordingSettings else second
    assert [line for line in part.splitlines() if line.startswith("| `")] == setting_rows(record)


def metric_rows() -> list[str]:
    return [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |"
        for each in METRICS
    ]


def test_every_metric_is_documented_as_it_is() -> None:
    rows = [line for line in section(page(), "Metrics").splitlines() if line.startswith("| `")]
    assert rows == metric_rows()


def test_every_column_is_documented() -> None:
    assert first_cells(section(page(), "Columns")) == list(DECIDED)
    row = next(line for line in section(page(), "Columns").splitlines() if line.startswith("| `decision`"))
    assert re.findall(r"`([a-z-]+)`", row)[1:] == [kind.value for kind in ActionKind]


def test_every_key_of_a_log_line_is_documented() -> None:
    paragraph = next(part for part in section(page(), "Logs").split("\n\n") if part.startswith("`exchange_id`"))
    assert re.findall(r"`(\w+)`", paragraph) == [*TEXTS, *NUMBERS]
