"""What a probe's answer is watched for. Each channel is a number that grows with trouble; ranks do the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.integrity.audit.answers import Answer
from stillwatch.integrity.toolcalls.checking import schema_problems

Score = Callable[[str, str], float]


@dataclass(frozen=True, slots=True)
class Probe:
    """What was asked: a prompt's id and family, the schemas of its tools, and the call that it leads to."""

    prompt: str
    family: str
    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # tool → JSON Schema
    expect: Mapping[str, Any] = field(default_factory=dict)  # name, arguments


@dataclass(frozen=True, slots=True)
class Channel:
    """One thing that is watched. `identity`: it speaks to which model answers, so it counts for the verdict."""

    name: str
    about: str
    identity: bool
    value: Callable[[Probe, Answer, Score], float | None]  # None: the answer says nothing to it


def _wording(probe: Probe, answer: Answer, score: Score) -> float | None:
    return score(probe.prompt, answer.text) if answer.text and not probe.schemas else None


def _refusals(_probe: Probe, answer: Answer, _score: Score) -> float | None:
    return float(answer.refused)


def _tokens(_probe: Probe, answer: Answer, _score: Score) -> float | None:
    return None if answer.output_tokens is None else float(answer.output_tokens)


def _latency(_probe: Probe, answer: Answer, _score: Score) -> float | None:
    return answer.seconds


def _schema(probe: Probe, answer: Answer, _score: Score) -> float | None:
    """1 if the call that was asked for did not come, or is not one that its tool takes."""
    if not probe.schemas:
        return None
    return float(not answer.calls or any(_breaks(probe, call.name, call.arguments) for call in answer.calls))


def _fidelity(probe: Probe, answer: Answer, _score: Score) -> float | None:
    """1 if the call is not, argument by argument, the one that the prompt spells out."""
    if not probe.expect or not probe.schemas:
        return None
    told = [(call.name, _read(call.arguments)) for call in answer.calls]
    return float(told != [(probe.expect.get("name"), probe.expect.get("arguments"))])


CHANNELS = (
    Channel("wording", "how unusual the words are to the reference", True, _wording),
    Channel("refusals", "answers that decline", True, _refusals),
    Channel("tokens", "the count of output tokens, as the endpoint tells it", True, _tokens),
    Channel("schema", "tool calls that are absent or break their schema", True, _schema),
    Channel("fidelity", "tool calls with other arguments than the prompt spells out", True, _fidelity),
    Channel("latency", "seconds until the whole answer was there", False, _latency),
)
BY_NAME = {channel.name: channel for channel in CHANNELS}


def _breaks(probe: Probe, name: str, arguments: str) -> bool:
    schema, told = probe.schemas.get(name), _read(arguments)
    return schema is None or told is None or bool(schema_problems(told, schema))


def _read(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return None
