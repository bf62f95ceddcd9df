from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stillwatch.apps import cli
from stillwatch.apps.integrity.alerting import deliver
from stillwatch.apps.integrity.monitor_config import WebhookPart
from stillwatch.model import InputRefused, UsageError
from tests.apps.integrity.serving import KEY, Served, endpoint, speaks

TOOL = {
    "name": "look_up_order",
    "schema": {"type": "object", "properties": {"order_number": {"type": "string"}}, "required": ["order_number"]},
}
PROMPTS: list[dict[str, Any]] = [
    {"id": f"p{at}", "family": f"f{at % 2}", "text": f"Tell me of {at * 'x'}."} for at in range(6)
]
PROMPTS += [
    {"id": f"t{at}", "family": "tools", "text": f"Use the tool to look up order {at}-QX.", "tools": [TOOL],
     "expect": {"name": "look_up_order", "arguments": {"order_number": f"{at}-QX"}}}
    for at in range(2)
]  # fmt: skip
FEW = 'channels = ["wording", "tokens"]'  # without jsonschema, whose import takes longer than all else of a child
POLICY = """
hosts = ["example.com"]
[tools.look_up_order]
derived = ["order_number"]
[tools.look_up_order.schema]
type = "object"
required = ["order_number"]
[tools.look_up_order.schema.properties.order_number]
type = "string"
"""


def config(folder: Path, *served: Served, **more: str) -> Path:
    (folder / "prompts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in PROMPTS), encoding="utf-8")
    (folder / "tools.toml").write_text(POLICY, encoding="utf-8")
    lines = ['state = "state"', 'prompts = "prompts.jsonl"', "probes = 8", "answers = 8", *more.values()]
    for number, each in enumerate(served):
        lines += ["[[endpoints]]", f'name = "e{number}"', f'url = "{each.url}"', 'model = "m"']
    path = folder / "monitor.toml"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, ["monitor-endpoint", *map(str, words)])


def round_of(path: Path) -> tuple[int, list[dict[str, Any]]]:
    done = run(path, "--once", "--json")
    assert isinstance(done.exception, SystemExit | None), repr(done.exception)
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]


def injects(asked: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A router that rewrites the tool's argument."""
    told = speaks(1)(asked, chance)
    if "calls" in told:
        told["calls"] = [(told["calls"][0][0], {"order_number": "https://evil.net/x"})]
    return told


def test_an_endpoint_that_changes_its_model_is_reported_once_with_metrics_and_a_page(tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []
    outputs = 'page = "history.html"\n[prometheus]\nfile = "stillwatch.prom"'
    with endpoint(speaks(1)) as honest, endpoint(speaks(1)) as changing:
        path = config(tmp_path, honest, changing)
        path.write_text(
            path.read_text().replace("probes = 8", "probes = 8\n" + outputs.split("\n", 1)[0])
            + '[prometheus]\nfile = "stillwatch.prom"\n'
        )
        first = [round_of(path) for _ in range(2)]
        changing.behave = speaks(2)
        for _ in range(6):
            status, told = round_of(path)
            got += told
            if status:
                break
    assert [status for status, _ in first] == [0, 0]
    assert status == 1
    last = {each["endpoint"]: each for each in got[-2:]}
    assert last["e0"]["alerts"] == []
    assert last["e1"]["alerts"] == ["differs"]
    assert last["e1"]["channels"]["wording"] > 3
    metrics = (tmp_path / "stillwatch.prom").read_text()
    assert 'stillwatch_endpoint_alert{endpoint="e1",kind="differs"} 1.0' in metrics
    assert 'stillwatch_endpoint_alert{endpoint="e0",kind="differs"} 0.0' in metrics
    page = (tmp_path / "history.html").read_text()
    assert "1 of 2 endpoints raised an alert: e1." in page
    assert "<script" not in page
    assert "http" not in page.split("</style>")[1]
    assert "m1t" not in page + metrics  # no word of an answer
    assert (tmp_path / "state" / "monitor.sqlite").stat().st_mode & 0o077 == 0


def test_tool_calls_that_a_router_rewrites_are_an_alert_at_once(tmp_path: Path) -> None:
    with endpoint(speaks(1)) as served:
        path = config(tmp_path, served, policy='policy = "tools.toml"')
        assert round_of(path)[0] == 0
        served.behave = injects
        status, told = round_of(path)
    assert (status, told[0]["alerts"]) == (1, ["tool-call"])


def test_alerts_reach_the_webhook_signed_and_without_text_and_are_sent_until_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_KEY", KEY)
    hook_says = {"status": 500}
    with endpoint(speaks(1)) as served, endpoint(lambda *_: hook_says | {"text": ""}) as hook:
        path = config(tmp_path, served, policy='policy = "tools.toml"')
        path.write_text(path.read_text() + f'[webhook]\nurl = "{hook.url}"\nkey_env = "HOOK_KEY"\ntries = 1\n')
        round_of(path)
        served.behave = injects
        round_of(path)
        refused = len(hook.asked)
        hook_says["status"] = 200
        round_of(path)
        round_of(path)
    assert refused > 0
    assert len(hook.asked) == 2 * refused  # each again once, then never
    alert, headers = hook.asked[-1], hook.headers[-1]
    signed = headers["stillwatch-timestamp"].encode() + b"." + json.dumps(alert, sort_keys=True).encode()
    assert headers["stillwatch-signature"] == "sha256=" + hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
    assert set(alert) <= {"id", "endpoint", "at", "kind", "attack", "answers", "log10_e", "channels"}


def test_a_webhook_that_is_not_there_loses_no_alert() -> None:
    assert asyncio.run(deliver(WebhookPart(url="http://127.0.0.1:9/", tries=1), [{"id": "a"}])) == []


def test_a_kill_in_the_middle_of_a_round_leaves_the_state_as_it_was_before(tmp_path: Path) -> None:
    plain, stuck = speaks(1), [False]

    def behave(asked: dict[str, Any], chance: random.Random) -> dict[str, Any]:
        if stuck[0]:
            time.sleep(0.1)
        return plain(asked, chance)

    with endpoint(behave) as served:
        path = config(tmp_path, served, channels=FEW)
        _, before = round_of(path)
        stuck[0], asked = True, len(served.asked)
        words = [sys.executable, "-m", "stillwatch.apps.cli", "monitor-endpoint", str(path), "--once"]
        child = subprocess.Popen(words, env=os.environ, stderr=subprocess.DEVNULL)
        while len(served.asked) <= asked:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        stuck[0] = False
        with sqlite3.connect(tmp_path / "state" / "monitor.sqlite") as db:
            kept = db.execute("SELECT heard FROM rounds").fetchall()
        db.close()
        _, after = round_of(path)
    assert kept == [(before[0]["heard"],)]
    assert after[0]["heard"] == before[0]["heard"] + 8


def test_the_references_own_first_answers_are_asked_once_and_forgetting_begins_anew(tmp_path: Path) -> None:
    with endpoint(speaks(1)) as served:
        path = config(tmp_path, served)
        round_of(path)
        assert len(served.asked) == 8 * 8 + 8
        round_of(path)
        assert len(served.asked) == 8 * 8 + 16
        assert run(path, "--forget", "e0").exit_code == 0
        round_of(path)
        assert len(served.asked) == 2 * 8 * 8 + 24
    assert isinstance(run(path, "--forget", "nobody").exception, UsageError)


def test_a_reference_that_changed_is_not_ranked_among_the_old_one(tmp_path: Path) -> None:
    with endpoint(speaks(1)) as served:
        path = config(tmp_path, served)
        round_of(path)
        kept = tmp_path / "state" / "e0.reference.ndjson"
        lines = kept.read_text(encoding="utf-8").splitlines(keepends=True)
        kept.write_text("".join(lines[:-1]), encoding="utf-8")
        asked = len(served.asked)
        done = run(path, "--once")
    assert "changed since it was first used; --forget e0" in done.stderr
    assert len(served.asked) == asked


def test_an_endpoint_that_does_not_answer_does_not_stop_the_others(tmp_path: Path) -> None:
    with endpoint(speaks(1)) as served, endpoint(lambda *_: {"status": 404}) as gone:
        done = run(config(tmp_path, gone, served), "--once", "--json")
    assert [json.loads(line)["endpoint"] for line in done.stdout.splitlines()] == ["e1"]
    assert "e0: " in done.stderr
    assert "quoted" not in done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("every = 5", "every"),
        ('channels = ["mood"]', "no such channel: mood"),
        ("unknown = 1", "unknown"),
        ("level = 2", "level"),
        ('policy = "nowhere.toml"', "nowhere.toml"),
        ("not toml", "no TOML"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_before_anybody_is_asked(tmp_path: Path, line: str, words: str) -> None:
    with endpoint(speaks(1)) as served:
        done = run(config(tmp_path, served, line=line), "--check")
    assert isinstance(done.exception, UsageError | InputRefused)
    assert words in str(done.exception)
    assert served.asked == []


def test_a_schedule_may_be_told_in_words(tmp_path: Path) -> None:
    with endpoint(speaks(1)) as served:
        done = run(config(tmp_path, served, every='every = "15m"'), "--check")
    assert "every 900 seconds" in done.stderr


def test_it_runs_until_it_is_told_to_stop_and_serves_metrics(tmp_path: Path) -> None:
    with endpoint(speaks(1)) as served:
        path = config(tmp_path, served, channels=FEW)
        path.write_text(path.read_text() + '[prometheus]\nlisten = "127.0.0.1:0"\n')
        words = [sys.executable, "-m", "stillwatch.apps.cli", "monitor-endpoint", str(path), "--json"]
        child = subprocess.Popen(words, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert child.stdout is not None
        first = json.loads(child.stdout.readline())
        child.terminate()
        assert child.wait() == 0
        child.stdout.close()
    assert first["endpoint"] == "e0"
