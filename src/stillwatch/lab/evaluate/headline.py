"""February 2026 at full scale: time and memory of the detection beside a floor, and what it finds.

Each thing that is timed runs in a process of its own, one after the other, on a log that was written before. The floor
only reads the log and hashes its prompts once, with the product's own kernel.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import stillwatch as sw
from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench, outcome
from stillwatch.lab.evaluate.metrics import Rate
from stillwatch.lab.evaluate.part import Bar, Data, Part, share, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.processes import timed, timed_detect
from stillwatch.lab.evaluate.scores import by_class, campaign_table, summary, totals_table
from stillwatch.lab.rivals.base import Log, Ranking
from stillwatch.lab.rivals.roster import ROSTER
from stillwatch.lab.rivals.run import run_within
from stillwatch.lab.rivals.tune import best_setting
from stillwatch.lab.truth import Truth, read_truth

MINUTES, GIB, FLOORS, AMBITION = 15, 12.0, 6.0, 4.0
PRECISE, PROMISED = 0.99, 0.95
RIVALS_AT_SCALE = ("splink", "identifiers")
BUDGET_S = 300.0  # for a rival
FLOOR = """
import sys, time
import pyarrow.parquet as pq
from stillwatch.sketch.text import SketchKey, hash_text
key = SketchKey.from_secret(b"floor")
file = pq.ParquetFile(sys.argv[1])
hash_text(next(file.iter_batches(10, columns=["prompt"])).column("prompt"), key)
begin = time.perf_counter()
for batch in file.iter_batches():
    hash_text(batch.column("prompt"), key)
print(time.perf_counter() - begin)
"""


def request(plan: Plan) -> Request:
    """The February population, whole unless the plan is quick."""
    return plan.preset("february", plan.seeds[0], plan.scale if plan.quick else 1.0)


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Compose, read and hash, detect, score; then the rivals that may finish."""
    asked, begin = request(plan), time.perf_counter()
    path = bench.log(asked)
    composed = time.perf_counter() - begin
    bench.say("floor: reading the log and hashing its prompts")
    floor = timed([sys.executable, "-c", FLOOR, str(path / "exchanges.parquet")])
    bench.say("detecting")
    out = path / "run"
    detected = timed_detect(path / "exchanges.parquet", path, out)
    truth = read_truth(path / "labels")
    run = sw.read_run(out)
    scored = outcome(asked, truth, run, detected.seconds)
    return {
        "replay": summary(scored),
        "classes": by_class([scored]),
        "composed_s": composed,
        "floor_s": float(floor.printed),
        "detect": {"seconds": detected.seconds, "cpu": detected.cpu, "gib": detected.gib},
        "stages": run.manifest["timings"],
        "bytes": (path / "exchanges.parquet").stat().st_size,
        "rivals": {name: _rival(bench, name, path, truth) for name in RIVALS_AT_SCALE},
    }


def _rival(bench: Bench, name: str, path: Path, truth: Truth) -> dict[str, Any]:
    bench.say(f"{name}, for at most {BUDGET_S:g} s")
    rival = next(one for one in ROSTER if one.name == name)
    found = run_within(rival, Log(path), best_setting(rival), None, BUDGET_S)
    told: dict[str, Any] = {"seconds": found.seconds, "note": found.note}
    return told if found.ranking is None else told | _scored(found.ranking, truth)


def _scored(ranking: Ranking, truth: Truth) -> dict[str, Any]:
    accused = ranking.account[ranking.accused].tolist()
    guilty = sum(truth.campaign.get(one) is not None for one in accused)
    wrong = sum(truth.innocent(one) for one in accused)
    every = sum(name is not None for name in truth.campaign.values())
    innocent = np.count_nonzero([truth.innocent(one) for one in ranking.account.tolist()])
    return {
        "account_precision": guilty / (guilty + wrong) if guilty + wrong else None,
        "account_recall": guilty / every,
        "innocents_accused": wrong,
        "innocents": int(innocent),
    }


def tell(data: Data) -> str:
    """Totals, campaigns, time beside the floor, and the rivals."""
    one, detect = data["replay"], data["detect"]
    stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in data["stages"].items())
    size = f"{one['exchanges']:,} exchanges, {one['accounts']:,} accounts, {data['bytes'] / 1e9:.1f} GB of Parquet"
    times = [
        ["compose and write the log", f"{data['composed_s']:.0f}", "–", "–", "–"],
        ["read the log and hash its prompts: the floor", f"{data['floor_s']:.0f}", "1.0", "–", "–"],
        [
            "detect, from Parquet to all outputs",
            f"{detect['seconds']:.0f}",
            f"{detect['seconds'] / data['floor_s']:.1f}",
            f"{detect['cpu']:.0f}",
            f"{detect['gib']:.1f}",
        ],
    ]
    heads = ("what", "wall, s", "of the floor", "CPU, s", "most memory, GiB")
    return (
        f"{size}.\n\n{table(heads, times)}\nStages of the detection: {stages}. Detected campaigns of mostly innocent "
        f"accounts: {one['false_campaigns']}.\n\n"
        f"{totals_table([one])}\n{campaign_table([one])}\nRivals on the same log, each in a process "
        f"of its own for at most {BUDGET_S / 60:g} minutes:\n\n{_rival_table(data)}"
    )


def _rival_table(data: Data) -> str:
    rows = []
    for name, found in data["rivals"].items():
        if "account_recall" not in found:
            rows.append([name, f"{found['seconds']:.0f}", "–", "–", found["note"]])
            continue
        rate = Rate(found["innocents_accused"], found["innocents"])
        accused = f"{rate.events:,} of {rate.trials:,}"
        shares = [share(found["account_precision"]), share(found["account_recall"])]
        rows.append([name, f"{found['seconds']:.0f}", *shares, accused])
    return table(("rival", "s", "account P", "account R", "innocents accused"), rows)


def bars(data: Data) -> Sequence[Bar]:
    """What was promised at this size."""
    one, detect = data["replay"], data["detect"]
    ratio = detect["seconds"] / data["floor_s"]
    found = sum(row["found"] for row in one["campaigns"])
    merged = [row["name"] for row in one["campaigns"] if row["merged_with"]]
    precision, recall = one["account_precision"], one["account_recall"]
    return (
        Bar(f"full scale detected within {MINUTES} minutes", f"{detect['seconds'] / 60:.1f} minutes",
            detect["seconds"] <= 60 * MINUTES),
        Bar(f"… and {GIB:g} GiB", f"{detect['gib']:.1f} GiB", detect["gib"] <= GIB),
        Bar(f"… and {FLOORS:g} times the floor ({AMBITION:g} is the ambition)", f"{ratio:.1f} times", ratio <= FLOORS),
        Bar("full scale: account precision ≥ 0.99, recall ≥ 0.95", f"{share(precision)}, {share(recall)}",
            precision >= PRECISE and recall >= PROMISED),
        Bar("full scale: three campaigns found, none merged",
            f"{found} of {len(one['campaigns'])}; merged: {', '.join(merged) or 'none'}",
            found == len(one["campaigns"]) and not merged),
        Bar("full scale: no look-alike organisation called distillation", f"{one['organisations_accused']} called so",
            not one["organisations_accused"]),
    )  # fmt: skip


PART = Part(
    "headline",
    "February 2026 at full scale",
    measure,
    tell,
    lambda plan: f"scale {request(plan).scale:g} of the disclosed numbers",
    bars,
    seeds=1,
    asked=True,
)
