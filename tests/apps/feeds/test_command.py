"""`stillwatch feeds`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from stillwatch.apps.cli import app
from tests.sharing.feeds.made import bundle, indicator, partner


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["feeds", *map(str, words)])
    return done.exit_code, done.stdout


def test_pull_says_what_came_quarantine_what_did_not_and_export_gives_it_back(tmp_path: Path) -> None:
    config = tmp_path / "feeds.toml"
    config.write_text(partner("stix", "b.json"))
    (tmp_path / "b.json").write_bytes(bundle(indicator(), indicator("[ipv4-addr:value = '10.0.0.1']", 2)))
    code, told = run("pull", config, "--once", "--json")
    assert (code, json.loads(told)[0]["new"], json.loads(told)[0]["refused"]) == (0, 1, 1)
    code, told = run("quarantine", config, "--json")
    wrong = json.loads(told)[0]
    assert wrong["object_id"] == indicator(number=2)["id"]
    assert "10.0.0.1" in wrong["wrong"]
    assert wrong["mend"]
    out = tmp_path / "out.json"
    assert run("export", config, "--partner", "north", "--out", out)[0] == 0
    assert json.loads(out.read_bytes())["objects"] == [indicator()]


def test_a_source_that_cannot_be_read_ends_with_status_three(tmp_path: Path) -> None:
    config = tmp_path / "feeds.toml"
    config.write_text(partner("stix", "gone.json"))
    code, told = run("pull", config, "--once")
    assert code == 3
    assert "there is no such file" in told
