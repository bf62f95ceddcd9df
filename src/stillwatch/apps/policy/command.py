"""The commands of `stillwatch policy`. Each is one call of a function, and a table of what it returns."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from stillwatch.model import UsageError

if TYPE_CHECKING:
    from stillwatch.actions.trials import Trial

FAILED = 1
app = typer.Typer(no_args_is_help=True, help="Check, try, explain and report on a policy of the gateway.")

File = Annotated[str, typer.Argument(metavar="FILE", help="A policy, or shadow or enforcing: those that ship.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON instead of tables.")]


@app.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Say all that is wrong with a policy file, each with its line, or list its rules."""
    from stillwatch.actions.policy_file import placeholders, read_policy
    from stillwatch.apps.policy import tables

    policy = read_policy(file)
    if as_json:
        _print({"policy": policy.digest, "mode": policy.mode, "rules": [_rule(rule) for rule in policy.rules]})
    else:
        tables.print_rules(policy, _data())
    for note in placeholders(policy):
        print(f"note: {note}", file=sys.stderr)


@app.command("test")
def try_out(
    file: File,
    cases: Annotated[str, typer.Argument(metavar="CASES", help="Cases, or shipped: those of the policies that ship.")],
    as_json: AsJson = False,
) -> None:
    """Try a policy on cases; exit status 1 when one comes out otherwise than expected."""
    from stillwatch.actions.policy_file import read_policy
    from stillwatch.actions.trials import read_cases, try_case
    from stillwatch.apps.policy import tables

    policy = read_policy(file)
    trials = [try_case(policy, case) for case in read_cases(cases)]
    if as_json:
        _print([_trial(trial) for trial in trials])
    else:
        tables.print_trials(trials, cases, _data())
    if not all(trial.passed for trial in trials):
        raise typer.Exit(FAILED)


@app.command()
def explain(
    file: File,
    attributes: Annotated[
        list[str],
        typer.Option(
            "--attributes", help="What the request is; may be repeated, or hold several.", metavar="NAME=VALUE"
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Hold one request against every rule in order: why each did or did not match, and what is done."""
    from stillwatch.actions.explain_policy import explain_policy
    from stillwatch.actions.policy_file import read_policy
    from stillwatch.actions.trials import attributes_of, told
    from stillwatch.apps.policy import tables

    rows, decision = explain_policy(read_policy(file), attributes_of(_pairs(attributes)))
    if as_json:
        _print({"rules": [dataclasses.asdict(row) for row in rows], "decision": told(decision)})
    else:
        tables.print_walk(rows, decision, _data())


@app.command()
def report(
    exchanges: Annotated[
        list[str], typer.Argument(metavar="EXCHANGES...", help="Parquet of the gateway: files, globs or folders.")
    ],
    as_json: AsJson = False,
) -> None:
    """Say what the policy did, or in a dry run would have done, and to whom."""
    from stillwatch.apps.policy import tables
    from stillwatch.apps.policy.report import report_on

    found = report_on(exchanges)
    if as_json:
        _print(dataclasses.asdict(found))
    else:
        tables.print_report(found, _data())


def _rule(rule: Any) -> dict[str, Any]:
    return {
        "name": rule.name, "line": rule.line, "when": rule.when, "action": rule.do.kind.value, "reason": rule.reason,
        "approval": rule.approval, "expires_seconds": rule.expires, "scope": rule.scope,
    }  # fmt: skip


def _trial(trial: Trial) -> dict[str, Any]:
    differs = {key: {"expected": want, "got": got} for key, (want, got) in trial.differs.items()}
    return {"name": trial.case.name, "line": trial.case.line, "passed": trial.passed, "differs": differs}


def _pairs(words: list[str]) -> dict[str, str]:
    """NAME=VALUE pairs of options that may each hold several, between spaces."""
    pairs = {}
    for word in (part for each in words for part in each.split()):
        name, equals, value = word.partition("=")
        if not (equals and name):
            raise UsageError(f"--attributes {word}: expected NAME=VALUE, such as verdict=distillation")
        pairs[name] = value
    return pairs


def _print(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2, default=str))


def _data() -> Console:
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200)
