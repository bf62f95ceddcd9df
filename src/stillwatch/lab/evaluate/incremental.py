"""What one more day costs with a state, beside reading the whole month again.

A month's log is folded day by day; the last day's time stands beside that of one `detect` over everything, each in a
process of its own, and so do the accounts that each accuses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

import stillwatch as sw
from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.part import Bar, Data, Part, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.processes import Timed, timed_detect

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
    whole, folded, at_once = traffic / "exchanges.parquet", traffic / "folded", traffic / "batch"
    for number, file in enumerate(files, 1):
        bench.say(f"folding day {number} of {len(files)}")
        day = timed_detect(file, traffic, folded, "--state", str(traffic / "state"))
    bench.say("detecting at once")
    batch = timed_detect(whole, traffic, at_once)
    rows = [pq.ParquetFile(path).metadata.num_rows for path in (whole, files[-1])]
    (one, first), (other, second) = _told(day, folded), _told(batch, at_once)
    told = {"day": one, "batch": other, "both": len(first & second)}
    return {"days": len(files), "exchanges": rows[0], "last": rows[1], **told}


def _told(took: Timed, out: Path) -> tuple[dict[str, Any], set[str]]:
    """What a run took and how many accounts it accuses, and who these are."""
    run = sw.read_run(out)
    accused = set(run.verdicts.filter(pc.field("verdict") == "distillation")["account_id"].to_pylist())
    stages = run.manifest["timings"]
    return {"seconds": took.seconds, "cpu": took.cpu, "stages": stages, "accused": len(accused)}, accused


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
    return (
        f"{data['exchanges']:,} exchanges over {data['days']} days, the last one {data['last']:,}.\n\n"
        f"{table(('what', 'wall, s', 'CPU, s', *names), rows)}\n"
        f"Accounts called distillation: {batch['accused']:,} at once, {day['accused']:,} day by day, "
        f"{data['both']:,} in both ([why they may differ](why/023-windows-fold-exactly.md)). Only the day's text is "
        "read and sketched, but the counts of text pieces, of a fixed size, are read and written whole; and judging "
        "looks at every group against the whole population, as the batch does.\n"
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
