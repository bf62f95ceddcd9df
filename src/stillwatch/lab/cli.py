"""`stillwatch-lab`: compose traffic with known truth, and score what a detector made of it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stillwatch.lab.calibrate import calibrate, write_fit
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.demo import print_shown, show
from stillwatch.lab.export import write_traffic
from stillwatch.lab.report import print_score
from stillwatch.lab.score import score
from stillwatch.model import StillwatchError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The proving ground: traffic with known truth.")
talk = Console(stderr=True)


@app.callback()
def _root() -> None:
    """The proving ground: traffic with known truth."""


@app.command()
def generate(  # noqa: PLR0913  (a command's options are its parameters)
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    exchanges: Annotated[int, typer.Option(min=2_000)] = 300_000,
    accounts: Annotated[int, typer.Option(min=200)] = 6_000,
    seed: Annotated[int, typer.Option()] = 7,
    split: Annotated[
        str, typer.Option(help="tuning or report: other words, other templates, other parameters.")
    ] = "tuning",
    days: Annotated[int, typer.Option(min=7)] = 14,
    scenario: Annotated[list[str] | None, typer.Option(help="Plant only these; all when absent.")] = None,
    attack_share: Annotated[float, typer.Option(min=0.0, max=0.6, help="Of all exchanges.")] = 0.25,
    prompts: Annotated[str, typer.Option(help="own, or real to mix in published prompts.")] = "own",
    text: Annotated[bool, typer.Option(help="Write prompts and system prompts.")] = True,
) -> None:
    """Write an exchange log, accounts and licences, and the truth about them in labels/."""
    began = time.perf_counter()
    request = Request(exchanges, accounts, seed, split, days, tuple(scenario or ()), attack_share, prompts)
    traffic = compose(request)
    written = write_traffic(traffic, out, text)
    seconds = time.perf_counter() - began
    talk.print(
        f"{written:,} exchanges of {len(traffic.group.accounts):,} accounts, "
        f"{len(traffic.campaigns)} campaigns, in {seconds:.1f} s: {out}"
    )


@app.command("calibrate")
def calibrate_verdicts(
    out: Annotated[Path | None, typer.Option(help="Where to store the constants; printed only when absent.")] = None,
) -> None:
    """Fit the probability of a verdict on tuning replays, and print its reliability on the report split."""
    fit = calibrate(lambda text: talk.print(text))
    if out is not None:
        write_fit(fit, out)
    print(json.dumps({"offset": fit.offset, "slope": fit.slope, "source": fit.source, "brier": fit.brier}))
    for mean, share, groups in fit.reliability:
        print(f"{mean:6.3f} said, {share:6.3f} true, {groups} groups")


@app.command("score")
def score_run(
    run_dir: Annotated[Path, typer.Argument(help="Output folder of a detection.")],
    labels_dir: Annotated[Path, typer.Argument(help="The labels folder of the traffic.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print data, not tables.")] = False,
) -> None:
    """Compare a detection with the truth: found, missed, wrongly accused."""
    result = score(run_dir, labels_dir)
    if as_json:
        print(json.dumps(result.as_dict(), indent=2))
    else:
        print_score(result, Console())


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Folder to write traffic and run to.")] = Path("demo-out")) -> None:
    """Plant campaigns and look-alikes in 300,000 exchanges, detect, and say what was found and what was not."""
    wide = Console() if sys.stdout.isatty() else Console(width=110)
    print_shown(show(out, say=talk.print), wide)


def main() -> None:
    """Entry point of the command."""
    try:
        app(standalone_mode=True)
    except StillwatchError as error:
        talk.print(f"stillwatch-lab: {error}", style="red")
        sys.exit(2)
