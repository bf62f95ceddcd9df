from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.apps.integrity.tool_policy import ChainLog, read_tool_policy
from stillwatch.integrity.toolcalls import Gate, ToolCall
from stillwatch.model import InputRefused, UsageError

POLICY = """
hosts = [".example.com"]
secrets_env = ["CANARY"]
[packages]
pypi = ["Typing_Extensions"]
[tools.run]
shell = ["command"]
programs = ["pip"]
schema = { type = "object", properties = { command = { type = "string" } }, required = ["command"] }
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CANARY", "kestrel-canary")
    path = tmp_path / "tools.toml"
    path.write_text(POLICY, encoding="utf-8")
    return path


def test_a_policy_is_read_and_its_log_can_be_read_again(policy: Path, tmp_path: Path) -> None:
    log = ChainLog(tmp_path / "calls.log")
    gate = Gate(read_tool_policy(policy), log.append)
    assert gate.judge(ToolCall("run", '{"command": "pip install typing-extensions"}')).allowed
    assert not gate.judge(ToolCall("run", '{"command": "pip install kestrel-canary"}')).allowed
    again = ChainLog(tmp_path / "calls.log")
    assert again.head == log.head
    again.append("tool-call", "run", {})
    assert "kestrel" not in (tmp_path / "calls.log").read_text()


def test_a_log_that_was_changed_is_not_gone_on_with(policy: Path, tmp_path: Path) -> None:
    path = tmp_path / "calls.log"
    log = ChainLog(path)
    for _ in range(3):
        log.append("tool-call", "run", {"allowed": False})
    path.write_text(path.read_text().replace("false", "true", 1))
    with pytest.raises(InputRefused, match=r"calls.log:2: .* was changed"):
        ChainLog(path)


def test_a_secret_that_is_not_set_is_misuse(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CANARY")
    with pytest.raises(UsageError, match="CANARY not set"):
        read_tool_policy(policy)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("hosts", "hots", UsageError),
        ('type = "object"', 'type = "thing"', UsageError),
        ("[tools", "[[tools", InputRefused),
    ],
)
def test_a_wrong_policy_is_refused(policy: Path, old: str, new: str, error: type[Exception]) -> None:
    policy.write_text(POLICY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(error):
        read_tool_policy(policy)
