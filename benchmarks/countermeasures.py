"""What countermeasures cost honest users, and what they take from students: `python benchmarks/countermeasures.py`.

Every figure is of synthetic traces and small students; docs/why/067-what-countermeasures-buy.md says what that shows.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from stillwatch.actions.decision import Effect
from stillwatch.apps.gateway.apis.altering import AlteredStream, alter_answer
from stillwatch.apps.gateway.apis.handles import NONE, Handles, Rules, Sealing, Who
from stillwatch.apps.gateway.apis.steps import steps_for
from stillwatch.lab.students.measured import SERVED, measure
from stillwatch.lab.students.tasks import draw_tasks, write_trace

EFFECTS = {
    "handles bound, nothing else": Effect(),
    "summarise-reasoning": Effect(reasoning="summary"),
    "reformulate-reasoning": Effect(reasoning="reformulated"),
    "round-logprobs": Effect(logprob_decimals=2, logprob_top=1),
    "drop-reasoning": Effect(drop=frozenset({"reasoning"})),
}
EQUATION = re.compile(r"\d+ [-+*] \d+ = \d+")
ROUNDS, REPEATS = 5, 200
CLASSES, WIDTH = 20, 24  # of the teacher whose log probabilities are asked for


def students(seeds: Sequence[int], sizes: Sequence[int], held: int) -> None:
    """Print how many held-out tasks students solve that learned from what each countermeasure serves."""
    print(f"share of {held} held-out tasks of 2 to 6 steps solved: mean (least to most) of {len(seeds)} seeds")
    print(f"{'harvest':>8}  {'served':<24}{'passive':>24}{'adaptive':>24}{'lessons it keeps':>18}")
    for size in sizes:
        for each in measure(seeds, size, held):
            print(
                f"{size:>8,}  {each.served:<24}{_spread(each.passive):>24}{_spread(each.adaptive):>24}"
                f"{statistics.mean(each.kept):>18,.0f}"
            )


def costs(seed: int) -> None:
    """Print how much of the reasoning honest users keep."""
    chance = random.Random(seed)
    tasks = draw_tasks(500, (2, 3, 4, 5, 6), seed)
    traces = [write_trace(each, chance) for each in tasks]
    print("\nof 500 traces: characters kept, calculations kept, conclusion kept")
    for served, serve in SERVED.items():
        made = [serve(each) for each in traces]
        letters = sum(map(len, made)) / sum(map(len, traces))
        steps = sum(len(EQUATION.findall(each)) for each in made) / sum(len(EQUATION.findall(each)) for each in traces)
        ends = sum(f"answer is {task.answer}." in text for task, text in zip(tasks, made, strict=True)) / len(tasks)
        print(f"{served:<26}{letters:>8.1%}{steps:>10.1%}{ends:>10.1%}")


def log_probabilities(seeds: Sequence[int]) -> None:
    """Print how well a student that fits a teacher's log probabilities agrees with it, by what it is told of them."""
    print(f"\nagreement with a linear teacher of {CLASSES} classes on 2,000 fresh queries, by queries harvested")
    sizes = (25, 50, 200, 1_000)
    print(f"{'told':<26}" + "".join(f"{size:>9,}" for size in sizes))
    ways = {"all, as they are": None, "all, 2 decimals": 2, "all, 0 decimals": 0, "top 1, 2 decimals": -1, "none": -2}
    for name, way in ways.items():
        shares = [[_agreement(seed, size, way) for seed in seeds] for size in sizes]
        print(f"{name:<26}" + "".join(f"{statistics.mean(each):>9.3f}" for each in shares))


def _agreement(seed: int, size: int, way: int | None) -> float:
    chance = np.random.default_rng(seed)
    teacher = chance.normal(size=(WIDTH, CLASSES))
    asked, fresh = chance.normal(size=(size, WIDTH)), chance.normal(size=(2_000, WIDTH))
    logits = asked @ teacher
    told = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    best = told.argmax(axis=1)
    if way is not None and way >= 0:
        told = told.round(way)
    elif way is not None:  # one alternative, or none: the rest is shared out evenly among the others
        sure = np.exp(told.max(axis=1).round(2)).clip(0.0, 0.999) if way == -1 else np.full(size, 0.9)
        told = np.repeat(np.log((1.0 - sure) / (CLASSES - 1))[:, None], CLASSES, axis=1)
        told[np.arange(size), best] = np.log(sure)
    centred = told - told.mean(axis=1, keepdims=True)
    learned = np.linalg.solve(asked.T @ asked + 1e-3 * np.eye(WIDTH), asked.T @ centred)
    return float(((fresh @ learned).argmax(axis=1) == (fresh @ teacher).argmax(axis=1)).mean())


def replays(count: int) -> None:
    """Print which handles are accepted where."""
    handles = Handles(b"a secret of the deployment", Rules(True, True, "refuse", 0))
    print(f"\nshare of {count:,} handles accepted, without and with [handles]")
    said = [f"Question {number}: how many pens are in {number} boxes of seven?" for number in range(count)]
    own, context = Who("alice", "", 1), "<context>It is Monday, and three files are open.</context>"
    seals = [handles.sealing(NONE, _asked(each), "messages", own).seal("c2ln", None) for each in said]
    shifted = said[1:] + said[:1]
    rows = {
        "the same account, the conversation goes on": (own, said),
        "the same, its client adds a line in front": (own, [f"{context}\n{each}" for each in said]),
        "the same, its client adds words to the line": (own, [f"{context} {each}" for each in said]),
        "the same, its client rewrote the only question": (own, ["A summary of what was said"] * count),
        "the same account, another conversation": (own, shifted),
        "another account, the same conversation": (Who("bob", "", 1), said),
    }
    for name, (who, asked) in rows.items():
        passed = sum(
            not handles.open(_asked(text, seal), "messages", who).fails for text, seal in zip(asked, seals, strict=True)
        )
        print(f"{name:<50}{1.0:>8.1%}{passed / count:>8.1%}")


def _asked(text: str, seal: str = "") -> dict[str, object]:
    block = {"type": "thinking", "thinking": "t", "signature": seal}
    back = [{"role": "assistant", "content": [block]}, {"role": "user", "content": "Go on."}] if seal else []
    return {"messages": [{"role": "user", "content": text}, *back]}


def latencies(seed: int) -> None:
    """Print the CPU that altering takes, of a JSON answer and of an event of a stream."""
    chance = random.Random(seed)
    trace = " ".join(write_trace(each, chance) for each in draw_tasks(14, (5, 6), seed))
    block = {"type": "thinking", "thinking": trace, "signature": "c2ln" * 50}
    whole = {"id": "m", "type": "message", "content": [block, {"type": "text", "text": "The answer is 5. " * 20}]}
    body = json.dumps(whole).encode()
    deltas = [{"type": "thinking_delta", "thinking": each + " "} for each in trace.split()]
    deltas.append({"type": "signature_delta", "signature": block["signature"]})
    deltas += [{"type": "text_delta", "text": "word "} for _ in range(200)]
    start = {"type": "content_block_start", "index": 0, "content_block": {**block, "thinking": "", "signature": ""}}
    told = [start, *({"type": "content_block_delta", "index": 0, "delta": each} for each in deltas)]
    events = [b"event: x\ndata: " + json.dumps(each).encode() + b"\n\n" for each in told]
    print(
        f"\nµs of CPU, median of {ROUNDS} rounds: a JSON answer of {len(body):,} bytes, and an event of {len(events):,}"
    )
    for name, effect in EFFECTS.items():
        handles = Handles(b"a secret of the deployment", Rules(True, True))

        def sealing(handles: Handles = handles) -> Sealing:
            return handles.sealing(NONE, _asked("Why?"), "messages", Who("alice", "", 1))

        def answer(effect: Effect = effect, sealing: Callable[[], Sealing] = sealing) -> None:
            alter_answer(body, steps_for(effect, sealing()))

        def stream(effect: Effect = effect, sealing: Callable[[], Sealing] = sealing) -> None:
            made = AlteredStream(steps_for(effect, sealing()))
            for each in events:
                made.feed(each)

        print(f"{name:<30}{_micros(answer, REPEATS):>10.1f}{_micros(stream, 5) / len(events):>10.2f}")


def _micros(call: Callable[[], None], times: int) -> float:
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(times):
            call()
        rounds.append((time.process_time() - start) / times * 1e6)
    return statistics.median(rounds)


def _spread(shares: Sequence[float]) -> str:
    return f"{statistics.mean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--sizes", type=int, nargs="+", default=[4_000, 16_000], help="answers harvested")
    options.add_argument("--held", type=int, default=300, help="held-out tasks")
    told = options.parse_args()
    began, seeds = time.process_time(), range(1, told.seeds + 1)
    students(seeds, told.sizes, told.held)
    costs(1)
    log_probabilities(seeds)
    replays(1_000)
    latencies(1)
    print(f"\n{time.process_time() - began:.0f} s of CPU")


if __name__ == "__main__":
    main()
