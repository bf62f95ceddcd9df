"""The nouns of tool-call integrity: a call, the operator's policy, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Attack(StrEnum):
    """What a dishonest router does to tool calls (Liu et al., "Your Agent Is Mine", CCS 2026, arXiv 2604.08407)."""

    INJECTION = "payload-injection"  # AC-1: arguments are replaced or added to
    DEPENDENCY = "dependency-injection"  # AC-1.a: a package that the attacker controls
    EXFILTRATION = "secret-exfiltration"  # AC-2: keys and the like leave
    MALFORMED = "malformed"  # not a call that the tool was declared to take; nobody's attack for sure


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as an answer holds it; `arguments` is the JSON text, not yet read."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolRule:
    """What one tool may be called with."""

    schema: Mapping[str, Any]  # JSON Schema of its arguments
    shell: tuple[str, ...] = ()  # arguments that are command lines
    programs: frozenset[str] = frozenset()  # that those may run
    derived: tuple[str, ...] = ()  # arguments whose words must stand in the conversation


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """The operator's lists. What is on none of them is refused."""

    tools: Mapping[str, ToolRule] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()  # that URLs may name; `.example.com` stands for all below it
    packages: Mapping[str, frozenset[str]] = field(default_factory=dict)  # ecosystem → names
    secrets: tuple[str, ...] = field(default=(), repr=False)  # known secrets and canaries, which must never leave


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason to refuse: what it looks like, where, and why; never the value."""

    attack: Attack
    where: str  # JSON pointer into the arguments; "" for the whole
    because: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer of a check. A call is allowed only if nothing at all was found."""

    allowed: bool
    findings: tuple[Finding, ...] = ()
