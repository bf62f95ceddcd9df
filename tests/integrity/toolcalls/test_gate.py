from __future__ import annotations

import json
from typing import Any

from stillwatch.integrity.toolcalls import Gate, ToolCall, ToolPolicy, ToolRule
from stillwatch.integrity.toolcalls.gate import START, broken_at, chained

POLICY = ToolPolicy({"look": ToolRule({"type": "object", "properties": {"term": {"type": "string"}}})})


def log(count: int) -> tuple[list[str], str]:
    lines, head = [], START
    for number in range(count):
        line, head = chained(head, "tool-call", "look", {"number": number})
        lines.append(line)
    return lines, head


def test_every_judgement_is_written_down_without_its_arguments() -> None:
    kept: list[tuple[str, str, dict[str, Any]]] = []
    gate = Gate(POLICY, lambda *entry: kept.append(entry))
    assert gate.judge(ToolCall("look", '{"term": "owls"}'), at="now").allowed
    assert not gate.judge(ToolCall("secret-name", "{}")).allowed
    assert [subject for _, subject, _ in kept] == ["look", "unlisted"]
    assert "owls" not in json.dumps(kept)
    assert "secret-name" not in json.dumps(kept)


def test_a_call_that_could_not_be_written_down_is_refused() -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    checked = Gate(POLICY, full).judge(ToolCall("look", '{"term": "owls"}'))
    assert not checked.allowed
    assert "log could not be written" in checked.findings[-1].because


def test_a_check_that_breaks_is_a_refusal() -> None:
    broken = ToolPolicy({"look": ToolRule({"type": "no such type"})})
    assert not Gate(broken, lambda *_: None).judge(ToolCall("look", "{}")).allowed


def test_a_log_shows_what_was_changed_dropped_or_swapped() -> None:
    lines, head = log(6)
    assert broken_at(lines, head) is None
    assert broken_at([*lines[:2], lines[2].replace("2", "9", 1), *lines[3:]]) is not None
    assert broken_at([*lines[:2], *lines[3:]]) == 3
    assert broken_at([lines[1], lines[0], *lines[2:]]) == 1
    assert broken_at(["{}"]) == 1


def test_a_log_that_was_cut_is_seen_with_the_digest_kept_elsewhere() -> None:
    lines, head = log(6)
    assert broken_at(lines[:4]) is None
    assert broken_at(lines[:4], head) == 5
