"""The demonstration: traffic with planted campaigns and look-alikes, detected, reported and scored against truth."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

import stillwatch as sw
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.lab.report import print_score
from stillwatch.lab.score import Score, score

MOSTLY = 0.5  # of a campaign's accounts, for it to be called found without a word more
REQUEST = Request(exchanges=300_000, accounts=6_000, seed=7, split="report")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a demonstration did: its run, the score, and the seconds of each part."""

    run: sw.Run
    score: Score
    report: Path
    seconds: dict[str, float]


def show(out: Path, request: Request = REQUEST, say: Callable[[str], None] = lambda _: None) -> Shown:
    """Compose traffic into `out`/traffic, detect what is in it into `out`/run, and score that."""
    say(f"composing {request.exchanges:,} exchanges")
    clock = _Clock()
    traffic = out / "traffic"
    out.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".traffic-", dir=out))
    try:
        write_traffic(compose(request), fresh)
        shutil.rmtree(traffic, ignore_errors=True)
        fresh.rename(traffic)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    clock.lap("compose")
    say("detecting")
    run = sw.detect(traffic / "exchanges.parquet", traffic / "accounts.parquet", traffic / "licences.csv")
    clock.lap("detect")
    sw.write_run(run, out / "run")
    clock.lap("write")
    return Shown(run, score(out / "run", traffic / "labels"), out / "run" / "report.html", clock.laps)


def print_shown(shown: Shown, console: Console) -> None:
    """Say plainly what was found, what was missed and who was wrongly accused; then the tables."""
    result = shown.score
    found = [one.name for one in result.campaigns if one.found and one.account_recall >= MOSTLY]
    partly = [
        f"{one.name} ({one.account_recall:.0%} of its accounts)"
        for one in result.campaigns
        if one.found and one.account_recall < MOSTLY
    ]
    missed = [one.name for one in result.campaigns if not one.found]
    print_score(result, console)
    console.print()
    console.print(f"found: {len(found)} of {len(result.campaigns)} planted campaigns")
    console.print(f"found in part: {', '.join(partly) or 'none'}")
    console.print(f"missed: {', '.join(missed) or 'none'}")
    console.print(
        f"wrongly accused: {result.innocents_accused:,} of {result.innocents:,} innocent accounts, "
        f"{result.false_campaigns} false campaigns"
    )
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in shown.seconds.items())
    console.print(f"time: {sum(shown.seconds.values()):.1f} s ({parts})")
    console.print(f"report: {shown.report}", soft_wrap=True)


@dataclass
class _Clock:
    laps: dict[str, float] = dataclasses.field(default_factory=dict)
    last: float = dataclasses.field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self.last = now - self.last, now
