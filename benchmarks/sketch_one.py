"""What sketching, matching and deciding one request costs: `python benchmarks/sketch_one.py [--seconds 2]`.

CPU time of this process for one request after another, as a worker does it, on the counts of a real state's size. The
index holds 25,000 members and 100,000 indicators. Bar: at most 50 µs of CPU to sketch a prompt of 4 kB.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.live.decider import LiveDecider, Wiring
from stillwatch.apps.gateway.live.facts import AccountFacts
from stillwatch.apps.gateway.live.index import HOURS, Columns, Index, KnownCampaign
from stillwatch.apps.gateway.live.publishing import Follower, publish
from stillwatch.apps.gateway.live.values import ACCOUNT, Namer
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.model import VerdictKind
from stillwatch.sketch.one import FixedCounts, Sketcher, write_counts
from stillwatch.sketch.templates import TemplateCounts
from stillwatch.sketch.text import SketchKey

KEY = SketchKey.from_secret(b"benchmark")
SIZES = (100, 600, 1_000, 4_000, 16_000)  # bytes
MEMBERS, INDICATORS, CAMPAIGNS = 25_000, 100_000, 60
BAR_US = 50.0
NOW = 1_772_355_600_000_000


def prompts(size: int, count: int, rng: random.Random) -> list[str]:
    """Different prompts of about this many bytes: a frame, and words that come at random from a large vocabulary."""
    words = [f"{rng.choice('bcdfglmnprst')}{rng.choice('aeiou')}{number:x}ing"[:9] for number in range(20_000)]
    frame = "You are a careful analyst. Answer the question below and explain every step of your reasoning in full. "
    made = []
    for _ in range(count):
        text = frame
        while len(text) < size:
            text += f"{rng.choice(words)} "
        made.append(text[:size])
    return made


def cpu_us(work: Callable[[str], object], texts: list[str], seconds: float) -> tuple[float, float]:
    """Median and 99th percentile of CPU µs of a call; each text once a round, so that no cache knows it by heart."""
    for text in texts[:200]:
        work(text)
    rounds: list[float] = []
    over = time.perf_counter() + seconds
    while time.perf_counter() < over or len(rounds) < 20:
        begin = time.process_time()
        for text in texts:
            work(text)
        rounds.append((time.process_time() - begin) * 1e6 / len(texts))
    return statistics.median(rounds), max(rounds)


def counts(texts: list[str], log2_size: int) -> tuple[TemplateCounts, TemplateCounts]:
    made, systems = TemplateCounts(KEY, log2_size), TemplateCounts(KEY, 22)
    made.fold(pa.array(texts))
    return made, systems


def index() -> Index:
    namer, rng = Namer(KEY), np.random.default_rng(7)
    members = np.unique(np.array([namer(ACCOUNT, f"account-{number}") for number in range(MEMBERS)], np.int64))
    names = np.unique(rng.integers(-(1 << 62), 1 << 62, INDICATORS))
    known = tuple(
        KnownCampaign(f"C-{number}", VerdictKind.DISTILLATION, 0.9, 8.0, 6.0, 4.0, 400, 0, NOW)
        for number in range(CAMPAIGNS)
    )
    columns = Columns(
        names,
        np.ones(len(names), np.uint8),
        rng.integers(0, CAMPAIGNS, len(names)).astype(np.int32),
        np.full(len(names), NOW + 10**15, np.int64),
        members,
        rng.integers(0, CAMPAIGNS, len(members)).astype(np.int32),
        np.full(len(members), 0.9),
        np.full(len(members), 3, np.uint8),
        np.zeros(0, np.int64),
        np.ones((CAMPAIGNS, HOURS), np.int64),
    )
    return Index(version=1, until=NOW, campaigns=known, columns=columns)


def decider(folder: Path, texts: list[str]) -> LiveDecider:
    made = folder / "made"
    made.mkdir()
    index().write(made, KEY)
    write_counts(*counts(texts, 24), made)
    publish(made, folder / "index", NOW)
    follower = Follower(folder / "index", KEY)
    assert follower.check()
    facts = AccountFacts("a", verification="email", created_at=NOW, payment_fingerprint="pm", signup_ip="192.0.2.1")
    return LiveDecider(follower, Wiring(lambda _: ALLOWED, lambda _: facts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    seconds = parser.parse_args().seconds
    rng = random.Random(7)
    system = prompts(1_500, 1, rng)[0]
    print(f"{'bytes':>7} {'log2':>5} {'sketch, µs':>11} {'with system prompt':>19} {'worst round':>12}")
    for log2_size in (24, 26):
        held = counts(prompts(600, 5_000, rng), log2_size)
        sketch = Sketcher(KEY, FixedCounts.of(*held))
        for size in SIZES:
            texts = prompts(size, 300, rng)
            alone, worst = cpu_us(partial(sketch, system_prompt=None), texts, seconds)
            both, _ = cpu_us(partial(sketch, system_prompt=system), texts, seconds)
            print(f"{size:>7} {log2_size:>5} {alone:>11.1f} {both:>19.1f} {worst:>12.1f}")
            if size == 4_000:
                print(f"{'':>13} bar of {BAR_US:.0f} µs {'met' if alone <= BAR_US else 'NOT MET'}")
    with TemporaryDirectory() as folder:
        live = decider(Path(folder), prompts(600, 5_000, rng))
        for size in (1_000, 4_000):
            texts = prompts(size, 300, rng)

            def serve(text: str) -> None:
                address = f"198.51.{rng.randrange(100)}.{rng.randrange(250)}"
                agent = f"agent/{rng.randrange(40)}"
                request = Arrival("e", NOW + 1, f"account-{rng.randrange(50_000)}", "openai", "chat.completions", "m",
                                  text, system, ip=address, user_agent=agent)  # fmt: skip
                live.settle(request, live.decide(request), Outcome(200, 10, 10))

            whole, _ = cpu_us(serve, texts, seconds)
            print(f"decide and settle, {size} bytes: {whole:.1f} µs ({live.errors.count} errors)")


if __name__ == "__main__":
    main()
