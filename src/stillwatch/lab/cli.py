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
from stillwatch.lab.evasions.catalogue import parse
from stillwatch.lab.export import write_traffic
from stillwatch.lab.fit import fit_weights, write_weights
from stillwatch.lab.report import print_score
from stillwatch.lab.score import score
from stillwatch.model import MissingDependency, StillwatchError

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
    scenario: Annotated[list[str] | None, typer.Option(help="Plant only these; nine of them when absent.")] = None,
    attack_share: Annotated[float, typer.Option(min=0.0, max=0.6, help="Of all exchanges.")] = 0.25,
    prompts: Annotated[str, typer.Option(help="own, real (published material), auto: real where it is.")] = "auto",
    text: Annotated[bool, typer.Option(help="Write prompts and system prompts.")] = True,
    preset: Annotated[str, typer.Option(help="february, burst, hardest: campaigns and innocents by name.")] = "",
    scale: Annotated[float, typer.Option(help="Of a preset's accounts and exchanges; above 0, up to 1.")] = 1.0,
    evasion: Annotated[list[str] | None, typer.Option(help="NAME=STRENGTH for everything planted; repeatable.")] = None,
) -> None:
    """Write an exchange log, accounts and licences, and the truth about them in labels/."""
    began = time.perf_counter()
    request = Request(
        *(exchanges, accounts, seed, split, days, tuple(scenario or ()), attack_share, prompts),
        preset=preset,
        scale=scale,
        evasions=parse(evasion or []),
    )
    traffic = compose(request)
    written = write_traffic(traffic, out, text)
    seconds = time.perf_counter() - began
    talk.print(
        f"{written:,} exchanges of {len(traffic.group.accounts):,} accounts, "
        f"{len(traffic.campaigns)} campaigns, {traffic.request.prompts} material, in {seconds:.1f} s: {out}"
    )


@app.command()
def fit(
    out: Annotated[Path | None, typer.Option(help="Where to store the weights; printed only when absent.")] = None,
) -> None:
    """Estimate the weights of evidence on tuning replays; calibrate afterwards."""
    fitted = fit_weights(lambda text: talk.print(text))
    if out is not None:
        write_weights(fitted, out)
    print(json.dumps({"source": fitted.source, "weights": dict(fitted.weights)}, indent=2))


@app.command("calibrate")
def calibrate_verdicts(
    out: Annotated[Path | None, typer.Option(help="Where to store the constants; printed only when absent.")] = None,
) -> None:
    """Fit the probability of a verdict on tuning replays, and print its reliability on the report split."""
    curve = calibrate(lambda text: talk.print(text))
    if out is not None:
        write_fit(curve, out)
    print(json.dumps({"offset": curve.offset, "slope": curve.slope, "source": curve.source, "brier": curve.brier}))
    for mean, share, groups in curve.reliability:
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


@app.command("gateway-demo")
def gateway_demo(
    out: Annotated[Path, typer.Option(help="Folder to work in; it is kept.")] = Path("gateway-demo-out"),
) -> None:
    """Run a gateway before a mock model: an attack, its detection, a second pool, and innocents beside them."""
    try:
        from stillwatch.lab.gateway import demo as gateway_demo_of  # here: it needs the gateway's packages
    except ImportError as error:
        raise MissingDependency(f"the demonstration needs {error.name}: pip install 'stillwatch[demo]'") from error
    wide = Console() if sys.stdout.isatty() else Console(width=120)
    shown = gateway_demo_of.show(out, wide)
    gateway_demo_of.print_shown(shown, wide)
    raise typer.Exit(0 if shown.held else 1)


@app.command("provenance-demo")
def provenance_demo(
    out: Annotated[Path, typer.Option(help="Folder to work in; a run that was interrupted goes on there.")] = Path(
        "provenance-demo-out"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="A small teacher and few answers.")] = False,
    seed: Annotated[list[int] | None, typer.Option(help="Of worlds, models and keys; repeatable.")] = None,
) -> None:
    """Train a teacher, harvest it through a gateway, train students of plain, marked and twin answers, test each."""
    try:
        from stillwatch.lab.provenance import shown, story, telling  # here: it needs torch and the gateway's packages
    except ImportError as error:
        raise MissingDependency(f"it needs {error.name}: pip install 'stillwatch[watermark,gateway]'") from error

    found = telling.tell(out, story.QUICK if quick else story.FULL, seed or [1], talk)
    wide = Console() if sys.stdout.isatty() else Console(width=120)
    shown.print_found(found, wide)
    shown.print_countermeasures(telling.countermeasures(out), wide)
    raise typer.Exit(0 if shown.held(found) else 1)


@app.command()
def results(  # noqa: PLR0913  (a command's options are its parameters)
    out: Annotated[Path, typer.Option(help="The page; measurements and pictures go to results/ beside it.")] = Path(
        "docs/results.md"
    ),
    part: Annotated[list[str] | None, typer.Option(help="Measure only this part; all when absent.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Of the report split, from 200 on; may be repeated.")] = None,
    exchanges: Annotated[int, typer.Option(min=20_000, help="Of a log with the default scenarios.")] = 300_000,
    scale: Annotated[float, typer.Option(min=0.001, max=1.0, help="Of the February replay.")] = 0.1,
    date: Annotated[str, typer.Option(help="Day of the measurement, as it is to stand on the page.")] = "not given",
    quick: Annotated[bool, typer.Option("--quick", help="Small logs: proves that all works, measures little.")] = False,
    render: Annotated[bool, typer.Option("--render", help="Write the page again; measure nothing.")] = False,
) -> None:
    """Measure everything on the report split, part by part, and write the page of results with its pictures."""
    from stillwatch.lab.evaluate import page, plan, results  # here: it loads every rival

    if not render:
        seeds = tuple(seed or plan.SEEDS)
        asked = plan.Plan(seeds, exchanges, scale=scale, date=date)
        chosen = results.chosen(part or ())
        results.measure(plan.quick_plan(seeds, date) if quick else asked, chosen, out, lambda text: talk.print(text))
    for path in page.write(out):
        print(path)


@app.command("tune-rivals")
def tune_rivals(
    out: Annotated[Path, typer.Option(help="Where to store the settings.")] = Path(
        "src/stillwatch/lab/rivals/settings.json"
    ),
) -> None:
    """Find, for each rival detector, the setting that ranks accounts best on tuning replays."""
    from stillwatch.lab.rivals.tune import tune_on_replays  # here: it loads every rival

    tune_on_replays(out, say=talk.print)


def main() -> None:
    """Entry point of the command."""
    try:
        app(standalone_mode=True)
    except StillwatchError as error:
        talk.print(f"stillwatch-lab: {error}", style="red")
        sys.exit(2)
