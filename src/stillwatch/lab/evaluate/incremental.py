"""What one more day costs with a state, beside reading the whole month again.

A month's log is folded day by day; the last day's time stands beside that of one `detect` over everything, each in a
process of its own, and so do the accounts that each accuses.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

import stillwatch as sw
from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.headline import timed
from stillwatch.lab.evaluate.part import Bar, Data, Part, table
from stillwatch.lab.evaluate.plan import Plan

DAYS, SHORT = 28, 4  # of the log; of a quick one
TENTH = 0.1
READING = ("ingest", "sketch")  # stages whose work is that of the new exchanges


def request(plan: Plan) -> Request:
    """Ten times the small log, over four weeks."""
    if plan.quick:
        return plan.request(plan.small, plan.seeds[0], days=SHORT)
    return plan.request(10 * plan.small, plan.seeds[0], days=DAYS)


def split(traffic: Path, days: int) -> list[Path]:
    """Write one file for each day of the log; return them in order."""
    log = pq.read_table(traffic / "exchanges.parquet")
    begin = pc.min(log["ts"]).as_py().replace(hour=0, minute=0, second=0, microsecond=0)
    files = []
    for number in range(days):
        start = begin + dt.timedelta(days=number)
        end = start + dt.timedelta(days=1) if number < days - 1 else dt.datetime.max.replace(tzinfo=dt.UTC)
        path = traffic / f"day-{number:02d}.parquet"
        pq.write_table(log.filter((pc.field("ts") >= start) & (pc.field("ts") < end)), path)
        files.append(path)
    return files


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Fold the days, time the last; then detect at once."""
    asked = request(plan)
    traffic = bench.log(asked)
    files = split(traffic, asked.days)
    for number, file in enumerate(files, 1):
        bench.say(f"folding day {number} of {len(files)}")
        day = _detect([file], traffic, traffic / "folded", "--state", str(traffic / "state"))
    bench.say("detecting at once")
    batch = _detect([traffic / "exchanges.parquet"], traffic, traffic / "batch")
    rows = [pq.ParquetFile(path).metadata.num_rows for path in (files[-1], traffic / "exchanges.parquet")]
    return {"days": len(files), "exchanges": rows[1], "last": rows[0], "day": day, "batch": batch}


def _detect(files: Sequence[Path], traffic: Path, out: Path, *more: str) -> dict[str, Any]:
    others = ["--accounts", str(traffic / "accounts.parquet"), "--licences", str(traffic / "licences.csv")]
    line = [sys.executable, "-m", "stillwatch.apps.cli", "detect", *map(str, files), *others, "--out", str(out), *more]
    took = timed([*line, "--quiet"])
    verdicts = sw.read_run(out).verdicts
    accused = verdicts.filter(pc.field("verdict") == "distillation")["account_id"].to_pylist()
    stages = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["timings"]
    return {"seconds": took.seconds, "cpu": took.cpu, "stages": stages, "accused": sorted(accused)}


def tell(data: Data) -> str:
    """Both runs, stage by stage, and whether they accuse the same accounts."""
    day, batch = data["day"], data["batch"]
    names = list(batch["stages"])
    rows = [
        [what, f"{one['seconds']:.1f}", f"{one['cpu']:.1f}", *(f"{one['stages'][name]:.1f}" for name in names)]
        for what, one in (("the whole log at once", batch), ("its last day, with a state", day))
    ]
    ratios = [day["stages"][name] / max(batch["stages"][name], 0.01) for name in names]
    rows.append(
        ["ratio", *(f"{day[key] / batch[key]:.2f}" for key in ("seconds", "cpu")), *(f"{each:.2f}" for each in ratios)]
    )
    both = set(day["accused"]) & set(batch["accused"])
    return (
        f"{data['exchanges']:,} exchanges over {data['days']} days, the last one {data['last']:,}.\n\n"
        f"{table(('what', 'wall, s', 'CPU, s', *names), rows)}\n"
        f"Accounts called distillation: {len(batch['accused']):,} at once, {len(day['accused']):,} day by day, "
        f"{len(both):,} in both ([why they may differ](why/023-windows-fold-exactly.md)). Reading and sketching cost a "
        "day's share; judging looks at every group against the whole population, as the batch does.\n"
    )


def bars(data: Data) -> Sequence[Bar]:
    """What was promised of a day."""
    day, batch = data["day"], data["batch"]
    ratio = day["seconds"] / batch["seconds"]
    read = [sum(one["stages"][name] for name in READING) for one in (day, batch)]
    return (
        Bar("one more day within a tenth of the month's batch", f"{ratio:.2f}", ratio <= TENTH),
        Bar("… of which reading and sketching", f"{read[0] / read[1]:.2f}", read[0] / read[1] <= TENTH),
    )


PART = Part(
    "incremental",
    "One more day",
    measure,
    tell,
    lambda plan: f"{request(plan).exchanges:,} exchanges over {request(plan).days} days",
    bars,
    seeds=1,
)
