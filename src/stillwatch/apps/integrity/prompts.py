"""The prompts that are asked: those that ship, or the operator's own, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from stillwatch.model import InputRefused

FIELDS = {"id", "family", "text", "tools", "expect"}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt. `tools`: name, description, schema; `expect`: the call that it leads to, name and arguments."""

    id: str
    family: str
    text: str
    tools: tuple[Mapping[str, Any], ...] = ()
    expect: Mapping[str, Any] = field(default_factory=dict)


def read_prompts(path: Path | None) -> tuple[Prompt, ...]:
    """Return the prompts of a file, or those that ship. Raises InputRefused, which quotes no prompt."""
    if path is None:
        lines = resources.files(__package__).joinpath("prompts.jsonl").read_text(encoding="utf-8").splitlines()
        name = "the prompts that ship"
    else:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputRefused(f"{path}: cannot be read ({type(error).__name__})") from error
        name = str(path)
    prompts = tuple(_read(f"{name}:{number}", line) for number, line in enumerate(lines, start=1) if line.strip())
    if len({prompt.id for prompt in prompts}) != len(prompts) or not prompts:
        raise InputRefused(f"{name}: holds no prompt, or two with one id; give each an id of its own")
    return prompts


def _read(where: str, line: str) -> Prompt:
    try:
        told = json.loads(line)
        if unknown := set(told) - FIELDS:
            raise InputRefused(f"{where}: has fields that no prompt has: {', '.join(sorted(unknown))}")
        words = [told[name] for name in ("id", "text")]
        family, tools = told.get("family", "all"), tuple(told.get("tools", ()))
        if not all(isinstance(word, str) and word for word in (*words, family)) or "/" in words[0]:
            raise ValueError
        for tool in tools:
            _ = tool["name"], tool["schema"]
        return Prompt(words[0], family, words[1], tools, told.get("expect", {}))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputRefused(
            f'{where}: expected {{"id": "…", "family": "…", "text": "…"}}, an id without a slash'
        ) from None
