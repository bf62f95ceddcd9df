"""`stillwatch share`: look at what would leave, approve it, and hand it over in the formats that others read."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.apps.control.common import AsJson, print_json, say
from stillwatch.apps.control.records import Ledger, recording
from stillwatch.model import InputRefused, UsageError

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of `stillwatch detect`.")]
Campaign = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Id of a campaign of the run.")]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A STIX 2.1 bundle.")]
Log = Annotated[list[str], typer.Argument(metavar="EXCHANGES...", help="The log, as for `stillwatch detect`.")]
GatheredFile = Annotated[
    Path | None, typer.Option("--gathered", help="What `stillwatch share gather` wrote.", metavar="FILE")
]
TermsPath = Annotated[Path | None, typer.Option("--terms", help="Who we are and who may have what.", metavar="FILE")]
Partner = Annotated[
    str | None, typer.Option("--partner", help="A partner of the terms; nobody: a publication.", metavar="NAME")
]
Out = Annotated[Path | None, typer.Option("--out", help="Where to write; stdout unless given.", metavar="FILE")]
At = Annotated[
    str | None, typer.Option("--at", help="The moment to judge expiry by; now unless given.", metavar="TIME")
]

app = typer.Typer(no_args_is_help=True, help="Share a campaign: preview, approve, export.")


@app.command()
def gather(
    exchanges: Log,
    run: Annotated[Path, typer.Option("--run", help="Output folder of `stillwatch detect`.", metavar="DIR")],
    out: Annotated[Path, typer.Option("--out", help="File for what is found; private to its owner.", metavar="FILE")],
    accounts: Annotated[str | None, typer.Option("--accounts", help="One row an account.", metavar="FILE")] = None,
    licences: Annotated[str | None, typer.Option("--licences", help="Declared authorisations.", metavar="FILE")] = None,
    cleared: Annotated[
        Path | None, typer.Option("--cleared", help="Accounts a person cleared, one id a line.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at the log of a run again: what its campaigns show, and who else does."""
    from stillwatch.apps.output import read_run
    from stillwatch.apps.share.gather import Sources, protected_accounts
    from stillwatch.apps.share.gather import gather as look
    from stillwatch.apps.share.gathered import write_gathered
    from stillwatch.ingest.engine import Engine
    from stillwatch.ingest.read import read_accounts, read_exchanges, read_licences

    with Engine() as engine:
        log = read_exchanges(exchanges, engine)
        who = None if accounts is None else read_accounts(accounts, engine)
        terms = None if licences is None else read_licences(licences, engine)
        guarded = protected_accounts(engine, who, terms, cleared)
        found = look(engine, Sources(read_run(run), log, who, guarded))
    write_gathered(found, out)
    rows = [
        {"campaign_id": name, **{kind: sum(one.kind == kind for one in own) for kind in sorted({o.kind for o in own})}}
        for name, own in found.shown.items()
    ]
    _print(rows if as_json else [" ".join(f"{k}: {v}" for k, v in row.items()) for row in rows], as_json)


@app.command()
def preview(
    run: Run, campaign: Campaign, gathered: GatheredFile = None, terms: TermsPath = None, partner: Partner = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show what of a campaign would leave, and what stays and why."""
    from stillwatch.apps.share.showing import as_dict, lines
    from stillwatch.sharing.leaving import decide

    leaving = decide(_case(run, campaign, gathered), _terms(terms, partner), _secret())
    _print(as_dict(leaving) if as_json else lines(leaving), as_json)


@app.command()
def export(
    run: Run, campaign: Campaign,
    terms: Annotated[Path, typer.Option("--terms", help="Who we are and who may have what.", metavar="FILE")],
    out: Annotated[Path, typer.Option("--out", help="File for the bundle; a receipt goes beside it.", metavar="FILE")],
    gathered: GatheredFile = None, partner: Partner = None,
    approve: Annotated[bool, typer.Option("--approve", help="Say that the preview was read and may leave.")] = False,
    by: Annotated[str, typer.Option("--by", help="Who approves.", metavar="NAME")] = "",
    ledger: Ledger = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write an approved campaign as a STIX 2.1 bundle, and the receipt of who approved what."""
    from stillwatch.sharing.approval import Approval, release

    if not (approve and by):
        raise UsageError("nothing leaves unread: look at `stillwatch share preview`, then say --approve --by NAME")
    case = _case(run, campaign, gathered)
    approval = Approval(by, dt.datetime.now(dt.UTC))
    with recording(ledger, "campaign", by) as append:
        done = release(case, _terms(terms, partner), _secret(), approval, append)
    _write(out.with_name(f"{out.name}.receipt.json"), json.dumps(done.receipt, ensure_ascii=False, indent=2) + "\n")
    _write(out, done.text)
    told = done.receipt
    line = f"{out}: campaign {told['shared_as']} at TLP:{told['tlp'].upper()} for {told['partner']}"
    _print(told if as_json else [line], as_json)


@app.command()
def misp(bundle: Bundle, out: Out = None, losses: Annotated[
    Path | None, typer.Option("--losses", help="File for what MISP does not carry.", metavar="FILE")
] = None) -> None:  # fmt: skip
    """Write a bundle as a MISP event: flat attributes, the bundle attached, and a report of what is lost."""
    from stillwatch.sharing.misp import flatten

    text = _read(bundle)
    event, report = flatten(json.loads(text), text)
    _write(out, json.dumps(event, ensure_ascii=False, indent=2) + "\n")
    lost = "\n".join(report.lines()) + "\n"
    if losses is not None:
        _write(losses, lost)
    say(f"{report.attributes} attributes; {len(report.lost)} properties are carried by the attached bundle alone")


@app.command()
def blocklist(
    bundle: Bundle,
    form: Annotated[str, typer.Option("--format", help="nginx, envoy or crowdsec.", metavar="NAME")],
    out: Out = None,
    at: At = None,
) -> None:
    """Write the addresses and networks of a bundle as a blocklist, each with its end."""
    from stillwatch.sharing.blocklist import blocklist as write

    _write(out, write(json.loads(_read(bundle)), form, _moment(at)))


@app.command()
def validate(bundle: Bundle, as_json: AsJson = False) -> None:
    """Check a bundle: STIX 2.1 in its strict reading, our schemas, references, patterns, markings and ends."""
    from stillwatch.sharing.checking import check

    problems = check(_read(bundle))
    _print([{"where": one.where, "problem": one.problem} for one in problems] if as_json else
           [f"{one.where}: {one.problem}" for one in problems], as_json)  # fmt: skip
    if problems:
        raise InputRefused(f"{bundle}: {len(problems)} problems")
    say(f"{bundle}: valid")


@app.command()
def match(bundle: Bundle, exchanges: Log, as_json: AsJson = False) -> None:
    """Look for a bundle's prompt templates in a log: how many exchanges and accounts fill each."""
    from stillwatch.apps.share.matching import match_templates

    rows = match_templates(json.loads(_read(bundle)), exchanges)
    _print(rows if as_json else [" ".join(f"{k}: {v}" for k, v in row.items()) for row in rows], as_json)


def _case(run: Path, campaign: str, gathered: Path | None) -> Any:
    from stillwatch.apps.output import read_run
    from stillwatch.apps.share.cases import case_of
    from stillwatch.apps.share.gathered import read_gathered

    return case_of(read_run(run), campaign, None if gathered is None else read_gathered(gathered))


def _terms(path: Path | None, partner: str | None) -> Any:
    from stillwatch.sharing.leaving import FIELDS
    from stillwatch.sharing.terms import Producer, Terms, read_terms

    if path is None:
        if partner is not None:
            raise UsageError("--partner is named in a file of terms; give --terms FILE too")
        return Terms(Producer("no terms were given"))
    return read_terms(path, partner, frozenset(FIELDS))


def _secret() -> bytes:
    return os.environb.get(b"STILLWATCH_SECRET", b"")


def _moment(text: str | None) -> dt.datetime:
    if text is None:
        return dt.datetime.now(dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at {text}: expected a moment such as 2026-11-26T00:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        told = json.loads(text)
    except OSError as error:
        raise InputRefused(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    except (ValueError, RecursionError):
        raise InputRefused(f"{path}: is not JSON; give a STIX 2.1 bundle") from None
    if not isinstance(told, dict) or told.get("type") != "bundle" or not isinstance(told.get("objects"), list):
        raise InputRefused(f"{path}: is no STIX bundle; it needs a type 'bundle' and a list of objects")
    return text


def _write(path: Path | None, text: str) -> None:
    if path is None:
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or type(error).__name__})") from None


def _print(data: Any, as_json: bool) -> None:
    if as_json:
        print_json(data)
    else:
        print("\n".join(data)) if data else None
