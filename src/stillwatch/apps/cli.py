"""`stillwatch`: the command line. Data goes to stdout, talk to stderr.

Exit status: 0 nothing found, 1 campaigns found, 2 misuse, 3 input refused, 70 a defect of stillwatch, 130 interrupted.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import stillwatch as sw
from stillwatch.apps import terminal
from stillwatch.apps.control import actions, keys, ledger
from stillwatch.apps.corroborate.command import corroborate_app
from stillwatch.apps.feeds.command import app as feeds_app
from stillwatch.apps.gateway.command import gateway
from stillwatch.apps.integrity import answer_keys_command
from stillwatch.apps.integrity.commands import add_commands as add_integrity_commands
from stillwatch.apps.integrity.verify_command import verify_answer
from stillwatch.apps.policy import command as policy_commands
from stillwatch.apps.provenance import command as provenance_commands
from stillwatch.apps.share.command import app as share_app
from stillwatch.apps.taxii.command import group as taxii
from stillwatch.model import InputRefused, StillwatchError, UsageError, VerdictKind

FOUND, MISUSE, REFUSED, DEFECT = 1, 2, 3, 70
NEXT = {  # what runs after each stage that `detect` reports as done
    "ingest": "sketching prompts",
    "sketch": "summarising accounts",
    "accounts": "linking accounts",
    "judge": "describing campaigns",
    "describe": "writing",
}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Finds, explains and attributes distillation attacks in the traffic of a model API.",
)
app.add_typer(ledger.app, name="ledger")
app.add_typer(keys.app, name="keys")
app.add_typer(actions.app, name="actions")
app.add_typer(policy_commands.app, name="policy")
app.add_typer(feeds_app, name="feeds")
app.add_typer(share_app, name="share")
app.add_typer(taxii, name="taxii")
app.add_typer(corroborate_app)
app.add_typer(answer_keys_command.app, name="answer-keys")
app.add_typer(provenance_commands.app, name="provenance")
talk = Console(stderr=True, highlight=False)

Exchanges = Annotated[
    list[str] | None,
    typer.Argument(metavar="EXCHANGES...", help="Files, globs or folders: Parquet, NDJSON, CSV, or another's log."),
]
Tables = Annotated[
    list[str] | None,
    typer.Option("--table", help="Exchanges in a database or a lake; may be repeated.", metavar="URL"),
]
Accounts = Annotated[str | None, typer.Option("--accounts", help="One row an account.", metavar="FILE")]
Licences = Annotated[str | None, typer.Option("--licences", help="Declared authorisations.", metavar="FILE")]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", help="Their column name for one of ours; may be repeated.", metavar="THEIRS=OURS"),
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="Format of the exchange log; what it looks like unless said.", metavar="NAME"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON instead of tables.")]


@app.callback()
def _root() -> None:
    """Finds, explains and attributes distillation attacks in the traffic of a model API."""


@app.command()
def detect(
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; an earlier run is replaced.")],
    exchanges: Exchanges = None,
    table: Tables = None,
    accounts: Accounts = None,
    licences: Licences = None,
    templates: Annotated[
        Path | None, typer.Option("--templates", help="Public templates, one a line or NDJSON.", metavar="FILE")
    ] = None,
    actors: Annotated[
        Path | None, typer.Option("--actors", help="Known actors, for hypotheses about who it is.", metavar="FILE")
    ] = None,
    previous: Annotated[
        Path | None, typer.Option("--previous", help="An earlier run: campaigns keep their ids.", metavar="DIR")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="What was seen so far: EXCHANGES are added, and all is judged.", metavar="DIR"),
    ] = None,
    field: Fields = None,
    format: Format = None,
    enrich: Annotated[
        list[Path] | None,
        typer.Option(
            "--enrich", help="MMDB, ranges or lists of networks or mail domains; may be repeated.", metavar="FILE"
        ),
    ] = None,
    engine: Annotated[str, typer.Option("--engine", help="duckdb, or spark past one machine.")] = "duckdb",
    spark_master: Annotated[
        str, typer.Option("--spark-master", help="Where Spark runs; default: all of this machine.", metavar="URL")
    ] = "",
    spark_conf: Annotated[
        list[str] | None,
        typer.Option("--spark-conf", help="A setting of Spark's; may be repeated.", metavar="KEY=VALUE"),
    ] = None,
    intel: Annotated[
        list[Path] | None,
        typer.Option(
            "--intel",
            help="What partners reported: a folder of feeds or a STIX bundle; may be repeated.",
            metavar="FEEDS|BUNDLE",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing on stderr but errors.")] = False,
) -> None:
    """Say which accounts are coordinated distillation campaigns, why, and how sure that is."""
    if engine not in ("duckdb", "spark"):
        raise UsageError(f"--engine {engine}: say duckdb or spark")
    _check_folders(out, previous)
    with _progress(quiet) as told:
        settings = sw.Settings(
            fields=_read_fields(field), format=format, templates=templates, actors=actors, previous=previous,
            state=state, enrich=tuple(enrich or ()), progress=told,
            intel=tuple(intel or ()), engine=engine, spark_master=spark_master,
            spark_conf=_read_conf(spark_conf),
        )  # fmt: skip
        run = sw.detect(_inputs(exchanges, table), accounts=accounts, licences=licences, settings=settings)
        sw.write_run(run, out)
    if as_json:
        _print_json({"out": str(out), "manifest": run.manifest, "campaigns": run.campaigns.to_pylist()})
    else:
        terminal.print_run(run, _data())
    if not quiet:
        _say(f"report: {out / 'report.html'}")
    if any(story.campaign.verdict in (VerdictKind.SUSPECT, VerdictKind.DISTILLATION) for story in run.stories):
        raise typer.Exit(FOUND)


@app.command()
def validate(
    exchanges: Exchanges = None,
    table: Tables = None,
    accounts: Accounts = None,
    licences: Licences = None,
    field: Fields = None,
    format: Format = None,
    as_json: AsJson = False,
) -> None:
    """Say what a log can and cannot support, before a run."""
    settings = sw.Settings(fields=_read_fields(field), format=format)
    support = sw.validate(_inputs(exchanges, table), accounts, licences, settings)
    if as_json:
        _print_json(support.as_dict())
    else:
        terminal.print_support(support, _data())


@app.command()
def explain(
    subject: Annotated[str, typer.Argument(metavar="ID", help="An account or a campaign.")],
    run: Annotated[Path, typer.Option("--run", help="Output folder of `stillwatch detect`.", metavar="DIR")],
    as_json: AsJson = False,
) -> None:
    """Print every term of a verdict, what spoke for innocence, and what was not evaluated."""
    told = sw.explain(sw.read_run(run), subject)
    if as_json:
        _print_json(told.as_dict())
    else:
        terminal.print_explanation(told, _data())


@app.command()
def watch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="Folders, globs or files; kafka://HOST:PORT/TOPIC; with --table a database."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results of the last window.")],
    state: Annotated[Path, typer.Option("--state", help="Folder of what the watcher remembers.", metavar="DIR")],
    accounts: Accounts = None,
    licences: Licences = None,
    templates: Annotated[
        Path | None, typer.Option("--templates", help="Public templates, one a line or NDJSON.", metavar="FILE")
    ] = None,
    field: Fields = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Watch this table of a database.", metavar="NAME")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="The table's column that never falls: an id, or a time of insertion.")
    ] = None,
    every: Annotated[str, typer.Option("--every", help="Length of a window: 90s, 15m, 1h, 1d.", metavar="TIME")] = "1h",
    lateness: Annotated[
        str, typer.Option("--lateness", help="How long a window waits for what is under way.", metavar="TIME")
    ] = "20s",
    poll: Annotated[str, typer.Option("--poll", help="How often to look for what is new.", metavar="TIME")] = "5s",
    keep: Annotated[
        int | None, typer.Option("--keep", help="Forget what is older than this.", metavar="DAYS", min=1)
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Process what is there, then exit.")] = False,
    fold: Annotated[
        bool, typer.Option("--fold", help="Read each window once: for logs that are long beside it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each window.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing on stderr but errors.")] = False,
) -> None:
    """Follow a log while it is written: verdicts as soon as a window is over."""
    from stillwatch.apps.watch import command  # here: `stillwatch version` must not wait for the engine

    asked = command.Asked(
        sources,
        out,
        state,
        accounts,
        licences,
        templates,
        _read_fields(field),
        table,
        by,
        every,
        lateness,
        poll,
        keep,
        once,
        fold,
    )

    def told(verdicts: Any) -> None:
        if as_json:
            print(command.as_json(verdicts), flush=True)
        elif not quiet:
            _say(command.as_line(verdicts))

    found = command.watch(asked, told, (lambda _: None) if quiet else _say)
    if once and found:
        raise typer.Exit(FOUND)


@app.command()
def signals(as_json: AsJson = False) -> None:
    """List every signal: what it needs, why it is there, and what to do first when it fires."""
    roster = sw.Settings().roster
    if as_json:
        names = ("name", "axis", "family", "needs", "why", "runbook")
        _print_json([{name: getattr(each, name) for name in names} for each in roster])
    else:
        terminal.print_signals(roster, _data())


@app.command()
def version() -> None:
    """Print the version."""
    print(sw.__version__)


app.command()(gateway)
app.command("verify-answer")(verify_answer)
add_integrity_commands(app)


def main() -> None:
    """Run the command; every error of ours is one line on stderr, and never prints an exchange's text."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # or a reader that leaves, as `head` does, would give status 1
    try:
        app(prog_name="stillwatch")
    except StillwatchError as error:
        _say(f"error: {error}")
        sys.exit(REFUSED if isinstance(error, InputRefused) else MISUSE)
    except MemoryError:
        _say("error: there is not enough memory; give fewer exchanges, or more memory")
        sys.exit(DEFECT)
    except Exception as error:
        _tell_defect(error)
        sys.exit(DEFECT)


def _tell_defect(error: Exception) -> None:
    """Where it broke. The words of the error may quote a prompt, so they are shown on request only."""
    for frame in traceback.format_tb(error.__traceback__)[-6:]:
        talk.print(frame.rstrip(), markup=False, soft_wrap=True)
    words = f": {error}" if os.environ.get("STILLWATCH_DEBUG") else "; STILLWATCH_DEBUG=1 shows more, prompts included"
    _say(f"error: a defect of stillwatch ({type(error).__name__}){words}")


def _check_folders(out: Path, previous: Path | None) -> None:
    from stillwatch.apps.output import check_out  # here: `stillwatch version` must not wait for the engine

    check_out(out)
    if previous is not None and not (previous / "verdicts.parquet").is_file():
        raise UsageError(f"--previous {previous}: holds no run; give the output folder of an earlier one")


def _inputs(exchanges: Sequence[str] | None, tables: Sequence[str] | None) -> list[str]:
    for url in tables or ():
        if "://" not in url:
            raise UsageError(f"--table {url}: expected a URL such as duckdb:///logs/gateway.duckdb::exchanges")
    named = [*(exchanges or ()), *(tables or ())]
    if not named:
        raise UsageError("no exchanges were named; give EXCHANGES, or --table URL")
    return named


def _read_fields(pairs: Sequence[str] | None) -> dict[str, str]:
    fields: dict[str, str] = {}
    for pair in pairs or ():
        theirs, separator, ours = pair.rpartition("=")
        if not (separator and theirs and ours):
            raise UsageError(f"--field {pair}: expected THEIRS=OURS, such as --field user=account_id")
        fields[theirs] = ours
    return fields


def _read_conf(pairs: Sequence[str] | None) -> dict[str, str]:
    conf: dict[str, str] = {}
    for pair in pairs or ():
        key, separator, value = pair.partition("=")
        if not (separator and key.startswith("spark.")):
            raise UsageError(f"--spark-conf {pair}: expected KEY=VALUE, such as spark.executor.memory=8g")
        conf[key] = value
    return conf


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """A bar on a terminal, nothing elsewhere; yields what `Settings.progress` calls."""
    if quiet or not talk.is_terminal:
        yield lambda _: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=talk, transient=True) as bar:
        task = bar.add_task("reading", total=len(NEXT))
        yield lambda stage: bar.update(task, description=NEXT.get(stage, stage), advance=stage in NEXT)


def _print_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


def _data() -> Console:
    """A console for stdout; wide when it is no terminal, so that no pipe gets folded cells."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200)


def _say(line: str) -> None:
    talk.print(line, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
