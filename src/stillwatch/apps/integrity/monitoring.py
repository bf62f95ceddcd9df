"""One round of the monitor: ask each endpoint a few prompts, settle the bets, and say who drifted."""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.apps.integrity.endpoints import Endpoint, Question, asking
from stillwatch.apps.integrity.monitor_config import EndpointPart, MonitorConfig
from stillwatch.apps.integrity.monitor_state import MonitorState, Round
from stillwatch.apps.integrity.prompts import Prompt, read_prompts
from stillwatch.apps.integrity.recording import Wanted, record
from stillwatch.apps.integrity.reference_file import Asked, Reference, open_reference, read_reference
from stillwatch.integrity.audit.answers import Answer
from stillwatch.integrity.audit.scoring import PhraseScorer, fit_scorer
from stillwatch.integrity.monitor.channels import Probe
from stillwatch.integrity.monitor.merging import e_bh
from stillwatch.integrity.monitor.watching import Evidence, Observed, chosen
from stillwatch.integrity.toolcalls.checking import check_tool_call
from stillwatch.integrity.toolcalls.records import ToolPolicy
from stillwatch.model import UsageError

DIFFERS, LATENCY, TOOL_CALL = "differs", "latency", "tool-call"  # kinds of alert
LN10 = math.log(10.0)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Watched:
    """One endpoint, ready to be asked: its reference's prompts, score and evidence so far."""

    name: str
    endpoint: Endpoint
    asked: Asked
    scorer: PhraseScorer
    evidence: Evidence
    reference: str  # digest of its file


async def prepare(config: MonitorConfig, part: EndpointPart, state: MonitorState, say: Say) -> Watched:
    """Read or record an endpoint's reference, and take up the evidence where it was left."""
    endpoint = Endpoint(part.url, part.model, part.shape, part.key_env, part.set)
    held = await _reference(config, part, endpoint, bool(state.rounds(part.name)), say)
    digest = hashlib.sha256(reference_path(config, part).read_bytes()).hexdigest()
    if state.pinned(part.name) not in (None, digest):  # scores of two references cannot be ranked together
        raise UsageError(f"{reference_path(config, part)}: changed since it was first used; --forget {part.name}")
    answers = held.answers()
    taught = {prompt: [each.text for each in said[: len(said) // 2]] for prompt, said in answers.items()}
    scorer = fit_scorer(taught)
    evidence = Evidence(chosen(config.channels), f"{state.seed}/{part.name}")
    probes = {prompt.id: probe_of(prompt) for prompt in held.asked.prompts}
    for prompt, said in answers.items():
        for answer in said[len(said) // 2 :]:  # the others taught the score
            evidence.learn(probes[prompt], answer, scorer.score)
    for bag, value in state.bags(part.name):
        evidence.bags.join(bag, value)
    evidence.capitals.update(state.capitals(part.name))
    evidence.heard = max((each.heard for each in state.rounds(part.name)), default=0)
    return Watched(part.name, endpoint, held.asked, scorer, evidence, digest)


def reference_path(config: MonitorConfig, part: EndpointPart) -> Path:
    """Return where an endpoint's reference is: the file that was named, or its own first answers."""
    return part.reference or config.state / f"{part.name}.reference.ndjson"


async def ask_round(watched: Watched, config: MonitorConfig, state: MonitorState, at: str, policy: ToolPolicy) -> Round:
    """Ask one endpoint its next prompts and write down what they showed, all of it or nothing."""
    prompts = next_prompts(watched, config.probes)
    asked = watched.asked
    async with asking(watched.endpoint) as ask:
        questions = [Question(each.text, asked.temperature, asked.max_tokens, each.tools) for each in prompts]
        answers = await asyncio.gather(*(ask(each) for each in questions))
    heard = [(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer is not None]
    evidence, seen = watched.evidence, []
    for prompt, answer in heard:
        seen += evidence.observe(probe_of(prompt), answer, watched.scorer.score)
    by_channel = {name: log_e / LN10 for name, log_e in evidence.by_channel().items()}
    told = Round(watched.name, at, evidence.heard, len(prompts), len(heard), evidence.log_e() / LN10, by_channel)
    _keep(state, told, seen, watched, _refused_calls(heard, policy) if config.policy else [])
    return told


def conclude(config: MonitorConfig, state: MonitorState, latest: Mapping[str, Round], at: str) -> list[str]:
    """Raise an alert for each endpoint that e-BH picks; return the ids of those that are new."""
    picked = {
        DIFFERS: e_bh({name: each.log10_e * LN10 for name, each in latest.items()}, config.level),
        LATENCY: e_bh({name: each.channels.get("latency", 0.0) * LN10 for name, each in latest.items()}, config.level),
    }
    raised = []
    with state.together():
        for kind, names in picked.items():
            for name in sorted(names):
                told = latest[name]
                channels = {each: round(log10_e, 2) for each, log10_e in told.channels.items()}
                body = {"log10_e": round(told.log10_e, 2), "answers": told.heard, "channels": channels}
                if state.raise_alert(_alert_id(state, name, kind), name, at, kind, body):
                    raised.append(f"{name}: {kind}")
    return raised


def next_prompts(watched: Watched, count: int) -> list[Prompt]:
    """Return the prompts whose turn it is: all of them in an order drawn anew each time that all were asked."""
    prompts, start = watched.asked.prompts, watched.evidence.heard
    turns = []
    for place in range(start, start + min(count, len(prompts))):
        lap, at = divmod(place, len(prompts))
        order = list(range(len(prompts)))
        random.Random(f"{watched.evidence.seed}/{lap}").shuffle(order)
        turns.append(prompts[order[at]])
    return turns


def probe_of(prompt: Prompt) -> Probe:
    """Return a prompt as channels know it."""
    return Probe(prompt.id, prompt.family, {tool["name"]: tool["schema"] for tool in prompt.tools}, prompt.expect)


async def _reference(config: MonitorConfig, part: EndpointPart, endpoint: Endpoint, begun: bool, say: Say) -> Reference:
    if part.reference is not None:
        return read_reference(part.reference)
    path = reference_path(config, part)
    asked = Asked(part.model, config.temperature, config.max_tokens, read_prompts(config.prompts))
    held = open_reference(path, asked)
    if not begun and any(held.count("answer", prompt.id) < config.answers for prompt in asked.prompts):
        say(f"{part.name}: recording {len(asked.prompts) * config.answers} answers, which later ones are held against")
        await record(endpoint, held, Wanted(config.answers, cooler=0))
    return held


def _keep(state: MonitorState, told: Round, seen: list[Observed], watched: Watched, refused: Sequence[str]) -> None:
    with state.together():
        state.pin(told.endpoint, watched.reference)
        state.keep(told, seen, watched.evidence.capitals)
        for attack in refused:
            state.refuse(told.endpoint, told.at, attack)
        for attack in sorted(set(refused)):
            body: dict[str, Any] = {"attack": attack, "answers": told.heard}
            state.raise_alert(
                _alert_id(state, told.endpoint, f"{TOOL_CALL}/{attack}"), told.endpoint, told.at, TOOL_CALL, body
            )


def _refused_calls(heard: Sequence[tuple[Prompt, Answer]], policy: ToolPolicy) -> list[str]:
    """What the tool calls that the policy refuses look like, one for each finding."""
    return [
        str(finding.attack)
        for prompt, answer in heard
        for call in answer.calls
        for finding in check_tool_call(call, policy, (prompt.text,)).findings
    ]


def _alert_id(state: MonitorState, endpoint: str, kind: str) -> str:
    """One id for an endpoint and kind in this state: an alert is raised once, until the endpoint is forgotten."""
    return hashlib.sha256(f"{state.seed}/{endpoint}/{kind}".encode()).hexdigest()[:24]
