"""The gate before tools: check, write down, then answer. A call that could not be written down is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stillwatch.integrity.toolcalls.checking import check_tool_call
from stillwatch.integrity.toolcalls.records import Attack, Checked, Finding, ToolCall, ToolPolicy

Append = Callable[[str, str, dict[str, Any]], object]  # kind, subject, body → where it went
KIND = "tool-call"
START = "0" * 64


@dataclass(frozen=True, slots=True)
class Gate:
    """A policy, and what keeps the log: the ledger's `append`, or a ChainLog's."""

    policy: ToolPolicy
    append: Append

    def judge(self, call: ToolCall, context: Sequence[str] = (), at: str = "") -> Checked:
        """Check a call and write down what came out. Any failure of either is a refusal."""
        try:
            checked = check_tool_call(call, self.policy, context)
        except Exception as error:  # fail closed, whatever it was
            checked = Checked(False, (Finding(Attack.MALFORMED, "", f"the check failed ({type(error).__name__})"),))
        try:
            self.append(KIND, call.name if call.name in self.policy.tools else "unlisted", entry_of(call, checked, at))
        except Exception as error:
            finding = Finding(Attack.MALFORMED, "", f"the log could not be written ({type(error).__name__})")
            return Checked(False, (*checked.findings, finding))
        return checked


def entry_of(call: ToolCall, checked: Checked, at: str) -> dict[str, Any]:
    """Return what the log keeps of a call: digests and findings, no argument."""
    return {
        "at": at,
        "name_sha256": _digest(call.name),
        "arguments_sha256": _digest(call.arguments),
        "allowed": checked.allowed,
        "findings": [asdict(each) for each in checked.findings],
    }


def chained(previous: str, kind: str, subject: str, body: dict[str, Any]) -> tuple[str, str]:
    """Return a line of a log in which each holds the digest of the one before, and this line's digest."""
    line = json.dumps(
        {"previous": previous, "kind": kind, "subject": subject, "body": body}, sort_keys=True, separators=(",", ":")
    )
    return line, _digest(line)


def broken_at(lines: Iterable[str], last: str | None = None) -> int | None:
    """Return the number, from 1, of the first line that does not follow from the one before; None when all do.

    `last`: the digest that the log ended with when it was last seen, kept elsewhere. A log cut short, or written anew
    from the start, is only seen with it; then the number is one past the end.
    """
    previous, seen, number = START, last in (None, START), 0
    for number, line in enumerate(lines, start=1):
        try:
            if json.loads(line)["previous"] != previous:
                return number
        except (ValueError, KeyError, TypeError):
            return number
        previous = _digest(line.rstrip("\n"))
        seen = seen or previous == last
    return None if seen else number + 1


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
