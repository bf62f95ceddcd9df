"""May this tool call be carried out? Only if everything about it is known and listed: the check fails closed.

Each call is judged by itself. Nothing is sampled and no trust is earned, so an attack that waits (AC-1.b, conditional
delivery: after fifty calls, for one model, at night) meets the same check on its first day as on its last.
"""

from __future__ import annotations

import json
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any

from stillwatch.integrity.toolcalls.packages import installs_in, near_miss
from stillwatch.integrity.toolcalls.records import Attack, Checked, Finding, ToolCall, ToolPolicy, ToolRule
from stillwatch.integrity.toolcalls.secrets import secrets_in
from stillwatch.integrity.toolcalls.shells import oddities
from stillwatch.model import MissingDependency

LONGEST = 1_000_000  # letters of arguments
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//[^\s\"'<>`]+|\bwww\.[^\s\"'<>`]+|\b\d{1,3}(?:\.\d{1,3}){3}\b", re.I)
_HOST = re.compile(r"^[a-z0-9.-]+$")
Place = tuple[str, str]  # JSON pointer, text


def check_tool_call(call: ToolCall, policy: ToolPolicy, context: Sequence[str] = ()) -> Checked:
    """Hold one tool call against the operator's policy.

    `context`: the texts that the model saw (messages, results of tools), for arguments that must come from there.
    Whatever cannot be judged is refused. Raises MissingDependency where jsonschema is not installed.
    """
    rule = policy.tools.get(call.name)
    if rule is None:
        return _refused(Finding(Attack.INJECTION, "", "no such tool is on the list"))
    if len(call.arguments) > LONGEST:
        return _refused(Finding(Attack.MALFORMED, "", "its arguments are longer than can be judged"))
    try:
        arguments = json.loads(call.arguments, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return _refused(Finding(Attack.MALFORMED, "", "its arguments are not JSON, or name one thing twice"))
    try:
        findings = tuple(_findings(arguments, rule, policy, context))
    except (ValueError, RecursionError) as error:
        return _refused(Finding(Attack.MALFORMED, "", f"it could not be judged ({type(error).__name__})"))
    return Checked(not findings, findings)


def check_outgoing(texts: Sequence[str], policy: ToolPolicy) -> Checked:
    """Hold what is about to be sent against the policy's secrets: a router reads all of it, and leaves no trace.

    Theft in passing (AC-2) cannot be seen in any answer; only what never leaves is safe.
    """
    findings = [
        Finding(Attack.EXFILTRATION, f"/{place}", f"it holds {kind}")
        for place, text in enumerate(texts)
        for kind in secrets_in(text, policy.secrets)
    ]
    return Checked(not findings, tuple(findings))


def schema_problems(arguments: Any, schema: Any) -> list[tuple[str, str]]:
    """Return where arguments break their JSON Schema: (JSON pointer, the keyword that is broken).

    Raises MissingDependency where jsonschema is not installed, ValueError for a schema that is none.
    """
    try:
        from jsonschema import Draft202012Validator, SchemaError
    except ImportError:
        raise MissingDependency("tool calls need jsonschema; pip install 'stillwatch[integrity]'") from None
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        raise ValueError("the tool's schema is no JSON Schema") from None
    errors = Draft202012Validator(schema).iter_errors(arguments)
    return sorted(("".join(f"/{each}" for each in error.absolute_path), str(error.validator)) for error in errors)


def _findings(arguments: Any, rule: ToolRule, policy: ToolPolicy, context: Sequence[str]) -> Iterator[Finding]:
    for where, keyword in schema_problems(arguments, _closed(rule.schema)):
        yield Finding(Attack.MALFORMED, where, f"it breaks its schema ({keyword})")
    seen = [_folded(text) for text in context]
    for where, name in _names(arguments):
        yield from _of_text(where, name, policy)
    for where, text in _texts(arguments):
        yield from _of_text(where, text, policy)
        if where.startswith(tuple(f"/{name}" for name in rule.shell)):
            for oddity in oddities(text, rule.programs):
                yield Finding(Attack.INJECTION, where, oddity)
    for name in rule.derived:
        for where, text in _texts(arguments.get(name) if isinstance(arguments, dict) else None, f"/{name}"):
            if not any(_folded(text) in each for each in seen):
                yield Finding(Attack.INJECTION, where, "it stands nowhere in the conversation")


def _of_text(where: str, text: str, policy: ToolPolicy) -> Iterator[Finding]:
    for kind in secrets_in(text, policy.secrets):
        yield Finding(Attack.EXFILTRATION, where, f"it holds {kind}")
    for address in _URL.findall(text):
        if not _listed(address, policy.hosts):
            yield Finding(Attack.INJECTION, where, "it names an address that is not on the list")
    for install in installs_in(text):
        known = policy.packages.get(install.ecosystem, frozenset())
        if install.oddity:
            yield Finding(Attack.DEPENDENCY, where, f"it installs a package, and {install.oddity}")
        elif install.package not in known:
            like = near_miss(install.package, known)
            hint = f"; its name is almost {like}" if like else ""
            yield Finding(Attack.DEPENDENCY, where, f"it installs a package that is not on the list{hint}")


def _listed(address: str, hosts: frozenset[str]) -> bool:
    full = address if "//" in address else f"//{address}"
    parsed = urllib.parse.urlsplit(unicodedata.normalize("NFKC", full))
    host = (parsed.hostname or "").rstrip(".")
    if not _HOST.match(host) or "@" in parsed.netloc or "\\" in address:  # parsers differ on both
        return False
    return any(host == each or (each.startswith(".") and host.endswith(each)) for each in hosts)


def _texts(value: Any, where: str = "") -> Iterator[Place]:
    """Every text in a value, with its place."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, f"{where}/{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts(inner, f"{where}/{place}")


def _names(value: Any, where: str = "") -> Iterator[Place]:
    """Every name in a value, with the place of what holds it: a secret may leave as a name too."""
    if isinstance(value, dict):
        yield from ((where, str(name)) for name in value)
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, each in inner:
        yield from _names(each, f"{where}/{place}")


def _closed(schema: Any) -> Any:
    """A schema of an object that says nothing of further properties allows none."""
    if isinstance(schema, dict) and "properties" in schema and "additionalProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return schema


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _refused(finding: Finding) -> Checked:
    return Checked(False, (finding,))
