"""How many addresses a second are looked up in a log: `python benchmarks/enrich.py [MILLIONS]`.

A log of random addresses, a tenth of them IPv6, and reference files of 400,000 IPv4 and 100,000 IPv6 ranges for systems
and again for countries, all made from one seed. Random addresses are the worst case: real ones lie together.
Reading the column alone is the floor; filling reads it, looks every row up and writes what was found beside the log.
"""

from __future__ import annotations

import ipaddress
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.enrich import Enrichment, fill, read_references
from stillwatch.ingest.read import read_exchanges
from stillwatch.ingest.records import Ingested

FOURS, SIXES = 400_000, 100_000
SIX_SHARE = 0.1
LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
ROUNDS = 3


def write_ranges(path: Path, chance: np.random.Generator, country: bool) -> Path:
    """Ranges that fill the space but for gaps, as one CSV."""
    lines = []
    for number, space, make in ((FOURS, 2**32, ipaddress.IPv4Address), (SIXES, 2**61, _six)):
        cuts = np.unique(chance.integers(2**24, space, number + 1, dtype=np.int64))
        says = chance.integers(1, 400_000, len(cuts))
        names = ["".join(pair) for pair in LETTERS[chance.integers(0, 26, (len(cuts), 2))]]
        for at in range(len(cuts) - 1):
            first, last = (
                make(int(cuts[at])),
                make(int(cuts[at + 1] - 1 - (at % 9 == 0) * (cuts[at + 1] - cuts[at]) // 2)),
            )
            lines.append(f"{first},{last},{names[at] if country else says[at]}\n")
    path.write_text("".join(lines), encoding="ascii")
    return path


def _six(upper: int) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(((1 << 61) + upper) << 64)  # 2000::/3


def write_log(path: Path, chance: np.random.Generator, rows: int, distinct: int) -> Path:
    fours = chance.integers(2**24, 2**32, int(distinct * (1 - SIX_SHARE)))
    sixes = chance.integers(0, 2**61, distinct - len(fours))
    pool = [str(ipaddress.IPv4Address(int(each))) for each in fours] + [str(_six(int(each))) for each in sixes]
    order = chance.integers(0, distinct, rows) if distinct < rows else chance.permutation(rows)
    number = np.arange(rows)
    table = pa.table(
        {
            "exchange_id": pa.array(number).cast(pa.string()),
            "ts": pa.array(1_767_571_200_000_000 + number * 1_000).cast(pa.timestamp("us", "UTC")),
            "account_id": pa.array(number % 20_000).cast(pa.string()),
            "model": pa.repeat("m", rows),
            "ip": pa.array(pool).take(pa.array(order)),
        }
    )
    pq.write_table(table, path, compression="zstd", row_group_size=100_000)
    return path


def read(engine: Engine, log: Ingested) -> None:
    for _ in engine.stream(log.table.select("ip")):
        pass


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall seconds and CPU seconds of all threads."""
    wall, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - spent


def measure(log: Path, enrichment: Enrichment) -> tuple[float, float, float, float]:
    """Return the least seconds of a few rounds: wall to read the column, wall to fill from it, CPU of either."""
    times = []
    for _ in range(ROUNDS):
        with Engine() as engine:
            ingested = read_exchanges(log, engine)
            times.append(
                clocked(partial(read, engine, ingested)) + clocked(partial(fill, ingested, enrichment, engine))
            )
    wall, spent, filled, filled_spent = (min(column) for column in zip(*times, strict=True))
    return wall, filled, spent, filled_spent


def main() -> None:
    rows = int(float(sys.argv[1] if len(sys.argv) > 1 else 1) * 1_000_000)
    chance = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        files = [write_ranges(Path(folder) / f"{name}.csv", chance, name == "country") for name in ("asn", "country")]
        begin = time.perf_counter()
        enrichment = read_references(files)
        loaded = time.perf_counter() - begin
        print("| addresses | distinct | read, s | fill, s | addresses/s | ratio | CPU µs: read | fill | search |")
        print("|---|---|---|---|---|---|---|---|---|")
        for distinct in (rows // 50, rows):
            log = write_log(Path(folder) / f"{distinct}.parquet", chance, rows, distinct)
            floor, filled, *spent = measure(log, enrichment)
            texts = pq.read_table(log, columns=["ip"])["ip"].combine_chunks()
            assert enrichment.lookup is not None
            spent.append(min(clocked(partial(enrichment.lookup.find, texts))[1] for _ in range(ROUNDS)))
            micros = " | ".join(f"{each / rows * 1e6:.2f}" for each in spent)
            print(
                f"| {rows / 1e6:g} M | {distinct:,} | {floor:.2f} | {filled:.2f} | {rows / filled:,.0f} "
                f"| {filled / floor:.1f} | {micros} |",
                flush=True,
            )
    ranges = 2 * (FOURS + SIXES)
    print(f"reading {ranges:,} ranges from CSV, once a run: {loaded:.1f} s")


if __name__ == "__main__":
    main()
