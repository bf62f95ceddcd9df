"""What a reference answered, kept in a file: one JSON object a line, the first of which says how it was asked.

It holds the answers' text, since tests compare text; it is readable by its owner alone. Recording goes on where it
ended, so a kill costs one line.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.apps.integrity.prompts import Prompt
from stillwatch.integrity.audit.answers import Answer
from stillwatch.integrity.toolcalls.records import ToolCall
from stillwatch.model import InputRefused, UsageError

MARK, VERSION = "reference", 1
ANSWER, COOLER, FIRST, LOGPROB = "answer", "cooler", "first", "logprob"  # kinds of line


@dataclass(frozen=True, slots=True)
class Asked:
    """How a reference is asked, and an endpoint after it."""

    model: str
    temperature: float
    max_tokens: int
    prompts: tuple[Prompt, ...]

    def as_header(self) -> dict[str, Any]:
        """Return the first line of the file."""
        return {"stillwatch": MARK, "version": VERSION, **asdict(self)}


@dataclass(slots=True)
class Reference:
    """A reference's answers by kind and prompt; grows as lines are added, in memory and in its file if it has one."""

    asked: Asked
    path: Path | None = None
    lines: dict[str, dict[str, list[Mapping[str, Any]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, kind: str, prompt: str, answer: Answer) -> None:
        """Keep one answer."""
        line: dict[str, Any] = {"kind": kind, "prompt": prompt, "text": answer.text}
        if kind == LOGPROB:
            line |= {"logprobs": dict(answer.logprobs)}
        if kind == ANSWER:
            calls = [[call.name, call.arguments] for call in answer.calls]
            line |= {"tokens": answer.output_tokens, "refused": answer.refused, "calls": calls}
        self.lines[kind][prompt].append(line)
        if self.path is not None:
            _append(self.path, line)

    def texts(self, kind: str) -> dict[str, list[str]]:
        """Return the texts of one kind, by prompt."""
        return {prompt: [str(each["text"]) for each in found] for prompt, found in self.lines[kind].items()}

    def answers(self) -> dict[str, list[Answer]]:
        """Return the whole answers, by prompt."""
        return {
            prompt: [
                Answer(
                    each["text"], 0.0, each["tokens"], each["refused"], tuple(ToolCall(*call) for call in each["calls"])
                )
                for each in found
            ]
            for prompt, found in self.lines[ANSWER].items()
        }

    def logprobs(self) -> dict[str, list[Mapping[str, float]]]:
        """Return the first tokens' log-probabilities, by prompt."""
        return {
            prompt: [each["logprobs"] for each in found if each["logprobs"]]
            for prompt, found in self.lines[LOGPROB].items()
        }

    def count(self, kind: str, prompt: str) -> int:
        """How many answers of a kind there are to a prompt."""
        return len(self.lines[kind][prompt])


def open_reference(path: Path, asked: Asked) -> Reference:
    """Begin a file, or go on with it. Raises UsageError when it was begun with other questions."""
    if path.exists():
        begun = read_reference(path)
        if begun.asked != asked:
            raise UsageError(f"{path}: was recorded with other questions or settings; give another file to --record")
        return begun
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(handle)
    _append(path, asked.as_header())
    return Reference(asked, path)


def read_reference(path: Path) -> Reference:
    """Read a file of `--record`. Raises InputRefused when it is none; a last line that was cut off is left out."""
    try:
        raw = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(f"{path}: cannot be read ({type(error).__name__})") from error
    whole, _, cut = raw.rpartition("\n")
    if cut:
        os.truncate(path, len((whole + "\n").encode()) if whole else 0)
    lines, at = whole.splitlines(), 1
    try:
        told = json.loads(lines[0])
        if (told.pop("stillwatch"), told.pop("version")) != (MARK, VERSION):
            raise ValueError
        prompts = tuple(Prompt(**{**each, "tools": tuple(each["tools"])}) for each in told.pop("prompts"))
        found = Reference(Asked(**told, prompts=prompts), path)
        for at, line in enumerate(lines[1:], start=2):  # noqa: B007 (the number of the line that fails)
            row = json.loads(line)
            found.lines[row["kind"]][row["prompt"]].append(row)
    except (ValueError, KeyError, TypeError, IndexError):
        raise InputRefused(f"{path}:{at}: is not a file of `stillwatch audit-endpoint --record`") from None
    return found


def _append(path: Path, line: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")
