"""Time and memory of `stillwatch detect`, from Parquet to all outputs, at growing sizes.

Prints a table and writes docs/reference/detect-scaling.svg. Sizes in millions of exchanges may be given as arguments;
accounts grow with exchanges (20,000 a million). The floor is reading the same file and hashing its prompts once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic

SIZES = (0.1, 1.0, 4.0)
ACCOUNTS = 20_000  # a million exchanges
PICTURE = Path(__file__).parent.parent / "docs" / "reference" / "detect-scaling.svg"
DETECT = """
import resource, sys
from stillwatch.apps.cli import main
sys.argv = ["stillwatch", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
FLOOR = """
import sys, time
import numpy as np, pyarrow.parquet as pq
from stillwatch.sketch.text import SketchKey, hash_text
key = SketchKey.from_secret(b"benchmark")
hash_text(pq.read_table(sys.argv[1], columns=["prompt"]).slice(0, 10)["prompt"], key)
begin = time.perf_counter()
for batch in pq.ParquetFile(sys.argv[1]).iter_batches(columns=None):
    hash_text(batch.column("prompt"), key)
print(time.perf_counter() - begin)
"""


def measure(millions: float, folder: Path) -> dict[str, float]:
    """Return seconds and peak MiB of one size, beside the floor."""
    exchanges = int(millions * 1_000_000)
    traffic, out = folder / f"traffic-{exchanges}", folder / f"run-{exchanges}"
    write_traffic(compose(Request(exchanges, int(millions * ACCOUNTS), 21, "report")), traffic)
    files = [str(traffic / name) for name in ("exchanges.parquet", "accounts.parquet", "licences.csv")]
    floor = subprocess.run([sys.executable, "-c", FLOOR, files[0]], capture_output=True, text=True, check=True)
    begin = time.perf_counter()
    command = [files[0], "--accounts", files[1], "--licences", files[2], "--out", str(out), "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", DETECT, "detect", *command], capture_output=True, text=True, check=True, env=os.environ
    )
    seconds = time.perf_counter() - begin
    peak = next(int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("PEAK"))
    timings = json.loads((out / "manifest.json").read_text())["timings"]
    return {"millions": millions, "seconds": seconds, "mib": peak / 1024, "floor": float(floor.stdout), **timings}


def draw(rows: list[dict[str, float]]) -> str:
    """Return a plain SVG of seconds and memory over size."""
    width, height, left, top = 640, 260, 60, 24
    most = max(row["millions"] for row in rows)
    panels = []
    for at, (field, name) in enumerate((("seconds", "seconds"), ("mib", "peak MiB"))):
        peak = max(row[field] for row in rows)
        x0 = left + at * width / 2
        points = [(x0 + row["millions"] / most * 220, height - 40 - row[field] / peak * (height - 80)) for row in rows]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        marks = "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/><text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle">'
            f"{row[field]:.0f}</text>"
            for (x, y), row in zip(points, rows, strict=True)
        )
        ticks = "".join(
            f'<text x="{x:.1f}" y="{height - 20}" text-anchor="middle">{row["millions"]:g} M</text>'
            for (x, _), row in zip(points, rows, strict=True)
        )
        panels.append(
            f'<text x="{x0}" y="{top}" font-weight="bold">{name}</text>'
            f'<polyline points="{path}" fill="none" stroke="#3b6ea5" stroke-width="2"/>{marks}{ticks}'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12" fill="#3b6ea5" role="img" aria-label="time and memory of detect by exchanges">'
        + "".join(panels)
        + "</svg>\n"
    )


def main() -> None:
    sizes = [float(each) for each in sys.argv[1:]] or list(SIZES)
    rows = []
    print("| exchanges | accounts | detect, s | read and hash once, s | ratio | peak MiB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            row = measure(size, Path(folder))
            rows.append(row)
            print(
                f"| {size:g} M | {int(size * ACCOUNTS):,} | {row['seconds']:.1f} | {row['floor']:.1f} "
                f"| {row['seconds'] / row['floor']:.1f} | {row['mib']:.0f} |",
                flush=True,
            )
    if len(rows) > 1:
        PICTURE.write_text(draw(rows), encoding="utf-8")
    for row in rows:
        stages = {name: row[name] for name in ("ingest", "sketch", "accounts", "judge", "describe")}
        print(f"stages at {row['millions']:g} M, s: {stages}")


if __name__ == "__main__":
    main()
