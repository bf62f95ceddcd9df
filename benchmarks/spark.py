"""What a run on Spark costs for each core, exchange, account and edge: `python benchmarks/spark.py [--exchanges N]`.

Composes a log, runs its stages on a local Spark, and reads the processor time of the driver, its Java process and its
Python workers from /proc: exchanges by processor second are the rate of one core, whatever else the machine does. Bytes
shuffled come from Spark's own REST interface. The extrapolation to a billion exchanges a day multiplies; what it
assumes is printed with it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.actions.policy import Policy
from stillwatch.apps.detect import Settings, examine, open_engine
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.signals.roster import ROSTER

BILLION = 1_000_000_000
CONF = {
    "spark.driver.memory": "3g",
    "spark.ui.port": "4057",
    "spark.ui.retainedStages": "10000",
    "spark.sql.shuffle.partitions": "4",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=200_000)
    parser.add_argument("--accounts", type=int, default=5_000)
    parser.add_argument("--hours", type=float, default=4.0, help="in which a day must be through")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        traffic = Path(folder) / "traffic"
        write_traffic(compose(Request(chosen.exchanges, chosen.accounts, 3)), traffic)
        log = traffic / "exchanges.parquet"
        size = log.stat().st_size
        settings = Settings(engine="spark", spark_master="local[2]", spark_conf=CONF, policy=Policy(), roster=ROSTER)
        laps: dict[str, float] = {}
        with open_engine(settings) as engine:
            begun, last = time.perf_counter(), processor_seconds()

            def lap(stage: str) -> None:
                nonlocal last
                now = processor_seconds()
                laps[stage], last = now - last, now

            seen = examine(engine, (log, traffic / "accounts.parquet", traffic / "licences.csv"), settings, lap)
            took = time.perf_counter() - begun
            told = ask(engine.spark)  # type: ignore[attr-defined]
    rows, population = seen.inputs[0].rows_kept, seen.population
    print(f"exchanges {rows:,}, accounts {population.size:,}, log {size / rows:.0f} bytes an exchange (Parquet)")
    print(f"on the clock {took:.0f} s, two task slots")
    print(f"\n{'stage':<24}{'core s':>9}{'exchanges/core s':>18}")
    for stage, seconds in laps.items():
        print(f"{stage:<24}{seconds:>9.1f}{rows / seconds:>18,.0f}")
    rate = rows / sum(laps.values())
    print(f"{'all':<24}{sum(laps.values()):>9.1f}{rate:>18,.0f}")
    shuffled = told["shuffled"] / rows
    edges = sum(len(each.account) for each in population.edges.values()) + len(population.atoms.account)
    edge = weigh([*population.edges.values(), population.atoms])
    account = weigh(population) - edge
    print(f"\nbytes shuffled for each exchange     {shuffled:8.0f}")
    print(f"bytes kept by workers, each exchange {told['kept'] / rows:8.0f}")
    print(f"driver bytes for each account        {account / population.size:8.0f}")
    print(
        f"driver bytes for each edge           {edge / edges:8.0f}   ({edges / population.size:.1f} edges an account)"
    )
    cores = BILLION / rate / (chosen.hours * 3_600)
    print(f"\na billion exchanges a day, in {chosen.hours:g} hours: {cores:.0f} cores")
    moved, kept = BILLION * shuffled / 1e9, BILLION * told["kept"] / rows / 1e9
    print(f"  shuffled {moved:,.0f} GB; kept on workers' disks {kept:,.0f} GB")
    for accounts in (1_000_000, 10_000_000):
        held = accounts * account / population.size + accounts * edges / population.size * edge / edges
        print(f"  driver, {accounts:,} accounts: {held / 1e9:.1f} GB, and two count sketches of 256 MB as they merge")
    print("assumes: cores as fast as these; rates that stay as the log grows; as many edges for each account")
    return 0


def processor_seconds() -> float:
    """Processor time of this process and of all below it, the ones that have ended included."""
    parents, spent = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile; its parent has its time
        parents[int(stat.parent.name)], spent[int(stat.parent.name)] = int(words[1]), sum(map(int, words[11:15]))
    own = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    return sum(spent[pid] for pid in own) / os.sysconf("SC_CLK_TCK")


def ask(spark: Any) -> dict[str, int]:
    """Bytes shuffled over all stages, and bytes that workers keep in memory and on disk, as Spark counts them."""
    base = f"{spark.sparkContext.uiWebUrl}/api/v1/applications/{spark.sparkContext.applicationId}"
    stages = json.load(urllib.request.urlopen(f"{base}/stages"))
    kept = json.load(urllib.request.urlopen(f"{base}/storage/rdd"))
    return {
        "shuffled": sum(stage["shuffleWriteBytes"] for stage in stages),
        "kept": sum(each["memoryUsed"] + each["diskUsed"] for each in kept),
    }


def weigh(thing: Any) -> int:
    """Bytes that the arrays of a record hold, records within records included."""
    if isinstance(thing, np.ndarray):
        return thing.nbytes if thing.dtype != object else sum(map(sys.getsizeof, set(thing))) + 8 * len(thing)
    if isinstance(thing, pa.Array | pa.ChunkedArray):
        return int(thing.nbytes)
    if isinstance(thing, dict):
        return sum(map(weigh, thing.values()))
    if isinstance(thing, list | tuple):
        return sum(map(weigh, thing))
    names = getattr(thing, "__dataclass_fields__", {})
    return sum(weigh(getattr(thing, name)) for name in names) if names else sys.getsizeof(thing)


if __name__ == "__main__":
    sys.exit(main())
