"""What one more day costs with a state, beside reading the whole log again.

`python benchmarks/incremental.py [millions] [days]`: a log of so many exchanges over so many days is folded day by day;
the last day's time stands beside that of one `detect` over everything, each in a process of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic

ACCOUNTS = 20_000  # a million exchanges


def split(traffic: Path, days: int) -> list[Path]:
    """Write one file for each day of the log; returns them in order."""
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


def detect(files: list[Path], traffic: Path, *more: str) -> tuple[float, dict[str, float]]:
    """Run `stillwatch detect` in a process of its own; returns seconds, and those of each stage."""
    out = traffic / "run"
    others = ["--accounts", str(traffic / "accounts.parquet"), "--licences", str(traffic / "licences.csv")]
    line = [sys.executable, "-m", "stillwatch.apps.cli", "detect", *map(str, files), *others, "--out", str(out), *more]
    begin = time.perf_counter()
    subprocess.run([*line, "--quiet"], check=False, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    return seconds, json.loads((out / "manifest.json").read_text())["timings"]


def main() -> None:
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 28
    exchanges = int(millions * 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        traffic = Path(folder)
        request = Request(exchanges, int(millions * ACCOUNTS), 23, "report", days=days)
        write_traffic(compose(request), traffic)
        files = split(traffic, days)
        for file in files[:-1]:
            detect([file], traffic, "--state", str(traffic / "state"))
        day, stages = detect(files[-1:], traffic, "--state", str(traffic / "state"))
        batch, whole = detect([traffic / "exchanges.parquet"], traffic)
    print("| exchanges | days | all at once, s | one more day, s | ratio | reading and folding, s | ratio of that |")
    print("|---|---|---|---|---|---|---|")
    fold, read = (sum(each[name] for name in ("ingest", "sketch")) for each in (stages, whole))
    print(f"| {millions:g} M | {days} | {batch:.1f} | {day:.1f} | {day / batch:.2f} | {fold:.1f} | {fold / read:.2f} |")
    print(f"stages of the day, s: {stages}\nstages of everything, s: {whole}")


if __name__ == "__main__":
    main()
