"""Exchanges a second and memory of `stillwatch-lab generate`, with text and without, each in a process of its own.

Prints a table. Sizes in millions of exchanges may be given as arguments, `--prompts real` for published material;
accounts grow with exchanges (20,000 a million). Starting Python and loading kernels and material is not counted;
memory is the peak of the process above what it held when it began to compose.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ACCOUNTS = 20_000  # a million exchanges
SIZES = (0.5, 2.0)
GENERATE = """
import json, resource, sys, time
from pathlib import Path
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.lab.workers import default_threads

exchanges, accounts, text, prompts, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "text", *sys.argv[4:6]
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
write_traffic(compose(Request(2_000, 300, split="report", prompts=prompts)), Path(out), text)  # loads what stays loaded
loaded, begin, used = peak(), time.perf_counter(), time.process_time()
traffic = compose(Request(exchanges, accounts, 21, "report", prompts=prompts))
composed = time.perf_counter()
written = write_traffic(traffic, Path(out), text)
print(json.dumps({
    "written": written, "compose": composed - begin, "write": time.perf_counter() - composed,
    "cpu": time.process_time() - used, "mib": peak(), "loaded": loaded, "threads": default_threads(),
}))
"""


def measure(millions: float, text: bool, prompts: str) -> dict[str, float]:
    """Return seconds, CPU seconds and MiB of one run, and what it wrote in bytes."""
    exchanges = int(millions * 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        given = [str(exchanges), str(int(millions * ACCOUNTS)), "text" if text else "none", prompts, folder]
        done = subprocess.run([sys.executable, "-c", GENERATE, *given], capture_output=True, text=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        found["bytes"] = (Path(folder) / "exchanges.parquet").stat().st_size
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("millions", nargs="*", type=float, help="sizes, in millions of exchanges")
    options.add_argument("--prompts", choices=("own", "real"), default="own")
    given = options.parse_args()
    heads = (
        "exchanges | text | compose, s | write, s | exchanges/s | CPU µs each | peak MiB | MiB a million | bytes each"
    )
    print(f"| {heads} |")
    print("|---|---|---|---|---|---|---|---|---|")
    threads = 0.0
    for millions in given.millions or SIZES:
        for text in (False, True):
            row = measure(millions, text, given.prompts)
            threads, written = row["threads"], row["written"]
            print(
                f"| {written / 1e6:.2f} M | {'yes' if text else 'no'} | {row['compose']:.1f} | {row['write']:.1f} "
                f"| {written / (row['compose'] + row['write']):,.0f} | {row['cpu'] / written * 1e6:.1f} "
                f"| {row['mib']:.0f} | {(row['mib'] - row['loaded']) / written * 1e6:.0f} "
                f"| {row['bytes'] / written:.0f} |",
                flush=True,
            )
    print(f"threads: {threads:.0f}; material: {given.prompts}")


if __name__ == "__main__":
    main()
