"""`stillwatch audit-endpoint`: is the endpoint the model it claims?

Exit status: 0 no difference found (which is not "the same": see the power), 1 it differs, 2 misuse, 3 a reference that
cannot be read, or an endpoint that did not answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from stillwatch.model import UsageError

if TYPE_CHECKING:
    from stillwatch.apps.integrity.auditing import Audit, Plan
    from stillwatch.apps.integrity.endpoints import Endpoint
    from stillwatch.apps.integrity.reference_file import Reference

DIFFERS = 1
SHAPES = ("openai", "anthropic")


def audit_endpoint(
    url: Annotated[str, typer.Argument(metavar="URL", help="The API, up to /chat/completions or /messages.")],
    model: Annotated[str, typer.Option("--model", help="The model's name there.")],
    reference: Annotated[
        str | None, typer.Option("--reference", help="What it must equal: a recorded file, or an API's URL.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--record", help="Record URL as a reference, and audit nothing.", metavar="FILE")
    ] = None,
    shape: Annotated[str, typer.Option("--shape", help="openai or anthropic.")] = "openai",
    key_env: Annotated[str, typer.Option("--key-env", help="Environment variable with its key.", metavar="NAME")] = "",
    reference_model: Annotated[str, typer.Option("--reference-model", help="Its name at a reference's URL.")] = "",
    reference_shape: Annotated[str, typer.Option("--reference-shape", help="openai or anthropic.")] = "openai",
    reference_key_env: Annotated[
        str, typer.Option("--reference-key-env", help="Variable with its key.", metavar="NAME")
    ] = "",
    prompts: Annotated[
        Path | None, typer.Option("--prompts", help="Your prompts, NDJSON; else those that ship.", metavar="FILE")
    ] = None,
    calls: Annotated[int, typer.Option("--calls", help="Prompts to ask at most.", metavar="N", min=1)] = 150,
    answers: Annotated[
        int, typer.Option("--answers", help="A reference's answers to each prompt.", metavar="N", min=4)
    ] = 20,
    temperature: Annotated[float, typer.Option("--temperature", help="Of both sides.", min=0.0)] = 1.0,
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Of an answer.", metavar="N", min=1)] = 64,
    border: Annotated[
        int, typer.Option("--border", help="Inputs to look for ties in, when recording.", metavar="N", min=0)
    ] = 0,
    logprobs: Annotated[bool, typer.Option("--logprobs", help="Record log-probabilities too.")] = False,
    local: Annotated[
        str | None, typer.Option("--local", help="A vLLM server of the same open weights, to rank by.", metavar="URL")
    ] = None,
    local_model: Annotated[str, typer.Option("--local-model", help="The model's name there.")] = "",
    tools: Annotated[
        bool, typer.Option("--tools", help="Record prompts with tools too, which monitor-endpoint watches.")
    ] = False,
    set_field: Annotated[
        list[str] | None,
        typer.Option("--set", help="A field of each request's body; null takes one out.", metavar="NAME=JSON"),
    ] = None,
    level: Annotated[float, typer.Option("--level", help="Bound on false alarms.", min=1e-6, max=0.5)] = 0.001,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of calls, and of ties.", metavar="N")] = 0,
    whole: Annotated[bool, typer.Option("--whole", help="Use the whole budget, even when sure.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say budget and power; ask the endpoint nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print data as JSON instead of tables.")] = False,
) -> None:
    """Say whether an endpoint answers as a reference does; what that could show is said before anything is asked."""
    from stillwatch.apps.integrity.auditing import Way, audit, learn_locally, make_plan, make_yardstick
    from stillwatch.apps.integrity.endpoints import Endpoint
    from stillwatch.apps.integrity.local_ranks import LocalRanks
    from stillwatch.apps.integrity.prompts import read_prompts
    from stillwatch.apps.integrity.recording import Wanted
    from stillwatch.apps.integrity.reference_file import Asked

    _check_shapes(shape, reference_shape)
    endpoint = Endpoint(url, model, shape, key_env, read_fields(set_field))
    asked = Asked(
        model, temperature, max_tokens, tuple(each for each in read_prompts(prompts) if tools or not each.tools)
    )
    wanted = Wanted(answers, border, logprobs)
    if record is not None:
        _record(endpoint, record, asked, wanted, as_json)
        return
    if reference is None:
        raise UsageError("give --reference FILE or URL to compare with, or --record FILE to make one")
    if "://" in reference:
        like = Endpoint(reference, reference_model or model, reference_shape, reference_key_env, endpoint.fields)
        held = _ask_reference(like, asked, wanted)
    else:
        held = _read_reference(Path(reference))
    ranks = None
    if local is not None:
        texts = {each.id: each.text for each in held.asked.prompts}
        ranks = LocalRanks(Endpoint(local, local_model or model), texts)
        asyncio.run(learn_locally(ranks, held))
    planned = make_plan(held, make_yardstick(held, ranks), calls, level, seed)
    if plan:
        _tell_plan(planned, _stdout()) if not as_json else _print(_plan(planned))
        return
    _tell_plan(planned, Console(stderr=True, highlight=False))
    found = asyncio.run(audit(endpoint, held, planned, Way(whole, seed, ranks)))
    if as_json:
        _print(found.as_dict())
    else:
        _tell_audit(found, _stdout())
    if found.differs:
        raise typer.Exit(DIFFERS)


def read_fields(pairs: list[str] | None) -> dict[str, Any]:
    """Read NAME=JSON pairs. Raises UsageError."""
    fields = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        try:
            if not (name and equals):
                raise ValueError
            fields[name] = json.loads(value)
        except ValueError:
            raise UsageError(f"--set {name}: expected NAME=JSON, such as --set max_completion_tokens=64") from None
    return fields


def _check_shapes(*shapes: str) -> None:
    for shape in shapes:
        if shape not in SHAPES:
            raise UsageError(f"--shape {shape}: say openai or anthropic")


def _record(endpoint: Endpoint, path: Path, asked: Any, wanted: Any, as_json: bool) -> None:
    from stillwatch.apps.integrity.recording import border_inputs, calls_to_record, record
    from stillwatch.apps.integrity.reference_file import open_reference

    _say(f"{endpoint.address}: at most {calls_to_record(asked, wanted)} calls of at most {asked.max_tokens} tokens")
    held = open_reference(path, asked)
    asyncio.run(record(endpoint, held, wanted))
    told = {
        "file": str(path),
        "answers": sum(len(found) for found in held.texts("answer").values()),
        "border_inputs": len(border_inputs(held)),
        "logprobs": sum(len(found) for found in held.logprobs().values()),
    }
    if as_json:
        _print(told)
    else:
        print(f"{told['answers']} answers and {told['border_inputs']} border inputs are in {path}")
    if wanted.border_inputs and not told["border_inputs"]:
        _say("no border input was found: either it answers the same each time, or more candidates are needed")


def _ask_reference(like: Endpoint, asked: Any, wanted: Any) -> Reference:
    from stillwatch.apps.integrity.recording import calls_to_record, record
    from stillwatch.apps.integrity.reference_file import Reference

    _say(f"reference: {like.address}: at most {calls_to_record(asked, wanted)} calls")
    held = Reference(asked)
    asyncio.run(record(like, held, wanted))
    return held


def _read_reference(path: Path) -> Reference:
    from stillwatch.apps.integrity.reference_file import read_reference

    return read_reference(path)


def _plan(plan: Plan) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(plan), "most_calls": plan.most_calls}


def _tell_plan(plan: Plan, console: Console) -> None:
    from stillwatch.apps.integrity import tables

    tables.print_plan(plan, console)


def _tell_audit(found: Audit, console: Console) -> None:
    from stillwatch.apps.integrity import tables

    tables.print_audit(found, console)


def _print(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2))


def _stdout() -> Console:
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=160)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
