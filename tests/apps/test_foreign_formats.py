from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import stillwatch as sw
from stillwatch.apps import cli

GOLDEN = Path(__file__).parents[1] / "golden"


def test_validate_reads_a_foreign_log_as_what_it_is_said_to_be() -> None:
    arguments = ["validate", str(GOLDEN / "litellm-spend-logs.json"), "--format", "litellm", "--json"]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows_kept"] == 5


def test_an_unknown_format_is_misuse_on_the_command_line_and_in_the_library(tmp_path: Path) -> None:
    log = GOLDEN / "litellm-spend-logs.json"
    result = CliRunner().invoke(cli.app, ["detect", str(log), "--out", str(tmp_path / "run"), "--format", "syslog"])
    assert isinstance(result.exception, sw.UsageError)
    with pytest.raises(sw.UsageError, match="there is no such format"):
        sw.validate(log, settings=sw.Settings(format="syslog"))
    assert not (tmp_path / "run").exists()


def test_the_manifest_counts_what_was_no_exchange(tmp_path: Path) -> None:
    run = sw.detect(GOLDEN / "opentelemetry-openai.otlp.json")
    (one,) = run.manifest["inputs"]
    assert (one["format"], one["rows"], one["skipped"]) == ("otel", 4, 2)
