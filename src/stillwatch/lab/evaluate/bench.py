"""Logs and runs of one measurement, made once and shared by its parts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa

import stillwatch as sw
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.evaluate.replay import Conclusion
from stillwatch.lab.export import write_traffic
from stillwatch.lab.score import Score, score_found
from stillwatch.lab.truth import Found, Truth, found_by, read_truth

KEPT = 4  # logs on disk at a time


@dataclass(frozen=True)
class Outcome:
    """What stillwatch made of one log, scored; the log itself may be gone."""

    request: Request
    truth: Truth = field(repr=False)
    found: Found = field(repr=False)
    verdicts: pa.Table = field(repr=False)
    campaigns: pa.Table = field(repr=False)
    seconds: float
    exchanges: int

    @cached_property
    def score(self) -> Score:
        """Against the truth."""
        return score_found(self.truth, self.found)


@dataclass
class Bench:
    """A folder to work in, with what was made there."""

    folder: Path
    say: Callable[[str], None] = lambda _: None
    logs: dict[Request, Path] = field(default_factory=dict)
    outcomes: dict[Request, Outcome] = field(default_factory=dict)

    def log(self, request: Request) -> Path:
        """The folder of a log, composed unless it is still there."""
        if request not in self.logs:
            while len(self.logs) >= KEPT:
                shutil.rmtree(self.logs.pop(next(iter(self.logs))))
            self.say(f"composing {describe(request)}")
            path = self.folder / f"log-{time.monotonic_ns():x}"
            write_traffic(compose(request), path)
            self.logs[request] = path
        return self.logs[request]

    def outcome(self, request: Request) -> Outcome:
        """What stillwatch makes of a log."""
        if request not in self.outcomes:
            path = self.log(request)
            self.say(f"detecting in {describe(request)}")
            files = (path / "exchanges.parquet", path / "accounts.parquet", path / "licences.csv")
            began = time.perf_counter()
            run = sw.detect(*files)
            seconds = time.perf_counter() - began
            self.outcomes[request] = outcome(request, read_truth(path / "labels"), run, seconds)
        return self.outcomes[request]


def outcome(request: Request, truth: Truth, run: sw.Run, seconds: float = 0.0) -> Outcome:
    """A run in memory beside its truth."""
    exchanges = int(run.manifest["exchanges"])
    return Outcome(request, truth, found_by(run), run.verdicts, run.campaigns, seconds, exchanges)


def describe(request: Request) -> str:
    """A log in a few words."""
    if request.preset:
        return f"{request.preset} at scale {request.scale:g}, seed {request.seed}"
    return f"{request.exchanges:,} exchanges of {request.accounts:,} accounts, seed {request.seed}"


def named(run: sw.Run) -> list[Conclusion]:
    """What a run concludes: its campaigns of any verdict, as a replay in time wants them."""
    verdict = dict(zip(*(run.campaigns[name].to_pylist() for name in ("campaign_id", "verdict")), strict=True))
    members: dict[str, list[str]] = {}
    for account, campaign in zip(*(run.verdicts[n].to_pylist() for n in ("account_id", "campaign_id")), strict=True):
        if campaign is not None:
            members.setdefault(campaign, []).append(account)
    return [Conclusion(verdict[name], tuple(accounts)) for name, accounts in members.items()]
