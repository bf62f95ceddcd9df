"""What keeping an exchange costs: `python benchmarks/record.py [--folder DIR] [--exchanges N]`.

CPU time of this process (all threads; system time included, so the write is in it) per exchange of a 1 kB prompt, in
rounds: other work on the machine disturbs CPU time less than it disturbs wall time. The bars: at most 15 µs to record,
at most 3 µs to count. DIR should be on the disk that will be used; a RAM disk says nothing about `fsync`.
"""

from __future__ import annotations

import argparse
import io
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.logs import RequestLog, configure
from stillwatch.apps.gateway.metrics import Metrics
from stillwatch.apps.gateway.recording.compactor import Compactor
from stillwatch.apps.gateway.recording.frames import frame
from stillwatch.apps.gateway.recording.layout import PARQUET, Layout, files
from stillwatch.apps.gateway.recording.rows import pack
from stillwatch.apps.gateway.recording.settings import RecordingSettings
from stillwatch.apps.gateway.recording.spool import Spool
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.sketch.text import SketchKey, hash_text

SENTENCE = "explain the following step by step and give every intermediate result in full please "
OUTCOME = Outcome(200, input_tokens=260, output_tokens=512)
ROUNDS = 5


def arrivals(count: int) -> list[Arrival]:
    """Exchanges with prompts of 1 kB, no two alike."""
    filler = SENTENCE * 12
    return [
        Arrival(
            f"{number:032x}", 1_772_366_400_000_000 + number * 500, f"acct-{number % 900:06d}", "openai",
            "chat.completions", "m-large-2026", f"{number:09d} {filler}"[:1_024], "You are a helpful assistant.",
            turns=3, max_tokens=1_024, temperature=0.7, stream=True, ip=f"198.51.{number % 100}.{number % 250}",
            asn=64_500, country="NZ", user_agent="openai/python 2.3.0", api_key_id=f"k-{number % 900}",
            channel="first-party",
        )
        for number in range(count)
    ]  # fmt: skip


def cpu(act: Callable[[Arrival], object], given: list[Arrival]) -> str:
    """Microseconds of CPU for each, as the median of rounds, with the least and the most."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for each in given:
            act(each)
        spent.append((time.process_time() - began) / len(given) * 1e6)
    return f"{statistics.median(spent):6.2f} µs   ({min(spent):.2f} to {max(spent):.2f})"


def record(folder: Path, given: list[Arrival]) -> None:
    for fsync in ("none", "interval", "every"):
        some = given[:500] if fsync == "every" else given
        spool = Spool(RecordingSettings(folder=folder / fsync, fsync=fsync, free_bytes=0, slow_seconds=60.0)).start()
        began = time.perf_counter()
        found = cpu(lambda each, spool=spool: spool.record(each, ALLOWED, OUTCOME), some)  # type: ignore[misc]
        wall = (time.perf_counter() - began) / (len(some) * ROUNDS) * 1e6
        spool.close()
        print(f"record, fsync = {fsync:<8} {found}; {wall:.1f} µs of wall time")
    print(f"  of which packing       {cpu(lambda each: pack(each, ALLOWED, OUTCOME, False), given)}")
    packed = pack(given[0], ALLOWED, OUTCOME, False)
    print(f"  of which framing       {cpu(lambda _: frame(b'mark', packed), given)}; {len(packed)} bytes a record")


def compact(folder: Path) -> None:
    settings = RecordingSettings(folder=folder / "none", text_max_age=1e9)
    with Compactor(settings, SketchKey.from_secret(b"benchmark")) as compactor:
        began, spent = time.perf_counter(), time.process_time()
        swept = compactor.sweep()
        wall, spent = time.perf_counter() - began, time.process_time() - spent
        print(
            f"compact                  {swept.exchanges / wall:,.0f} exchanges/s; "
            f"{spent / swept.exchanges * 1e6:.2f} µs of CPU each"
        )
        waiting = files(Layout(settings.folder).waiting, PARQUET)
        hash_text(pa.array(["compiled before it is timed"]), SketchKey.from_secret(b"benchmark"))
        began, spent = time.perf_counter(), time.process_time()
        for path in waiting:
            compactor.texts.after_fold(path)
        wall, spent = time.perf_counter() - began, time.process_time() - spent
        print(
            f"drop text                {swept.exchanges / wall:,.0f} exchanges/s; "
            f"{spent / swept.exchanges * 1e6:.2f} µs of CPU each"
        )


def count(folder: Path, given: list[Arrival]) -> None:
    metrics = Metrics(folder / "metrics")
    print(f"count a request          {cpu(lambda _: metrics.request('messages', 200, 'allow', 3e-4, 3e-5), given)}")
    configure("info", io.StringIO())
    for sample in (0.0, 1.0):
        log = RequestLog(sample)
        found = cpu(lambda each, log=log: log.request(each, ALLOWED, OUTCOME, (0.4, 3e-4)), given)  # type: ignore[misc]
        print(f"log, sample = {sample:<10} {found}")
    logging.getLogger().handlers.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write; default: the system's temporary folder")
    parser.add_argument("--exchanges", type=int, default=20_000)
    chosen = parser.parse_args()
    given = arrivals(chosen.exchanges)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        record(Path(folder), given)
        compact(Path(folder))
        count(Path(folder), given)


if __name__ == "__main__":
    main()
