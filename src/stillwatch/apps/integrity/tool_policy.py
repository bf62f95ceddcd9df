"""The operator's lists for tool calls, as a file; and a log of decisions that shows when it was changed."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stillwatch.integrity.toolcalls.checking import schema_problems
from stillwatch.integrity.toolcalls.gate import START, broken_at, chained
from stillwatch.integrity.toolcalls.packages import normal_name
from stillwatch.integrity.toolcalls.records import ToolPolicy, ToolRule
from stillwatch.model import InputRefused, UsageError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ToolPart(_Part):
    """One tool."""

    arguments: dict[str, Any] = Field(alias="schema")  # a model has a method of that name
    shell: tuple[str, ...] = ()
    programs: frozenset[str] = frozenset()
    derived: tuple[str, ...] = ()


class PolicyFile(_Part):
    """The whole file. `secrets_env`: environment variables that hold secrets which must never leave."""

    tools: dict[str, ToolPart] = Field(default_factory=dict)
    hosts: frozenset[str] = frozenset()
    packages: dict[str, frozenset[str]] = Field(default_factory=dict)
    secrets_env: tuple[str, ...] = ()


def read_tool_policy(path: Path) -> ToolPolicy:
    """Read a policy. Raises InputRefused when it is no TOML, UsageError when it says what no policy says."""
    try:
        told = PolicyFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputRefused(f"{path}: cannot be read as TOML ({type(error).__name__})") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path}: {'.'.join(str(each) for each in first['loc'])}: {first['msg']}") from None
    for name, part in told.tools.items():
        try:
            schema_problems({}, part.arguments)
        except ValueError as error:
            raise UsageError(f"{path}: tools.{name}.schema: {error}") from None
    tools = {
        name: ToolRule(part.arguments, part.shell, part.programs, part.derived) for name, part in told.tools.items()
    }
    packages = {kind: frozenset(normal_name(kind, each) for each in names) for kind, names in told.packages.items()}
    return ToolPolicy(tools, told.hosts, packages, _secrets(path, told.secrets_env))


def _secrets(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    absent = [name for name in names if not os.environ.get(name)]
    if absent:
        raise UsageError(f"{path}: secrets_env: {', '.join(absent)} not set; a secret that is not known is not found")
    return tuple(os.environ[name] for name in names)


class ChainLog:
    """An append-only file of decisions: each line holds the digest of the one before, and is on the disk on return."""

    def __init__(self, path: Path) -> None:
        """Open the log. Raises InputRefused when it was changed."""
        self._path = path
        self.head = START
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        broken = broken_at(lines)
        if broken is not None:
            raise InputRefused(f"{path}:{broken}: does not follow from the line before; the log was changed")
        if lines:
            self.head = hashlib.sha256(lines[-1].encode()).hexdigest()

    def append(self, kind: str, subject: str, body: dict[str, Any]) -> str:
        """Write one decision and return the log's new digest, to be kept elsewhere."""
        line, head = chained(self.head, kind, subject, body)
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, (line + "\n").encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        self.head = head
        return head
