"""How many calls an audit needs, and how often it is wrong: `python benchmarks/audit_endpoint.py [calls|null|monitor]`.

The endpoint and its reference are tiny language models (stillwatch.lab.tiny_models: a feed-forward network trained here
on Python's manual). The alternatives: a model trained on other text, a student trained on what the reference says,
temperature 0.9 for 1.0, weights of four and of three bits.
"""

from __future__ import annotations

import functools
import math
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from stillwatch.integrity.audit.hearing import Score, log_threshold, open_hearing, yardstick
from stillwatch.lab import tiny_models as tiny

WORDS, LENGTH, PROMPTS = 800, 48, 50
ANSWERS = 20  # of the reference, to each prompt
CALLS = 300
LEVEL = 0.001
RUNS = 20
Answerer = Callable[[int, int], list[str]]  # prompt, seed → answers


@functools.cache
def models() -> tuple[dict[str, tuple[tiny.TinyModel, float]], tiny.Words, list[str]]:
    """The reference and what may stand in its place, each with its temperature; prompts; the words."""
    text, known = tiny.manual(WORDS)
    half = len(text) // 2
    windows = np.lib.stride_tricks.sliding_window_view(text[:half], tiny.CONTEXT)
    teacher = kept("teacher", lambda: tiny.train(text[:half], WORDS, seed=1))
    other = kept("other", lambda: tiny.train(text[half:], WORDS, seed=2))
    student = kept("student", lambda: tiny.train(lessons(teacher, windows), WORDS, seed=4, start=other))
    served = {
        "the same model": (teacher, 1.0),
        "another model": (other, 1.0),
        "a distilled student": (student, 1.0),
        "temperature 0.9 for 1.0": (teacher, 0.9),
        "weights of 4 bits": (teacher.rounded(4), 1.0),
        "weights of 3 bits": (teacher.rounded(3), 1.0),
    }
    return served, windows[7 :: len(windows) // PROMPTS][:PROMPTS], known


def lessons(teacher: tiny.TinyModel, windows: tiny.Words) -> tiny.Words:
    """What the student learns from: 1,000 answers of the teacher, each after what was asked."""
    asked = windows[:: len(windows) // 1000][:1000]
    said = teacher.sample(asked, 50, np.random.default_rng(3))
    return np.concatenate([asked, said], axis=1).reshape(-1)


def kept(name: str, make: Callable[[], tiny.TinyModel]) -> tiny.TinyModel:
    """A model from an earlier run, else made anew."""
    path = Path(tempfile.gettempdir()) / f"stillwatch-tiny-{os.getuid()}-{name}.pickle"
    if not path.exists():
        path.write_bytes(pickle.dumps(make()))
    made: tiny.TinyModel = pickle.loads(path.read_bytes())
    return made


def ask(served: str, number: int, seed: int) -> dict[str, list[str]]:
    """So many answers to each prompt, as texts."""
    answers = numbered(served, number, seed)
    return {str(place): tiny.texts(each, models()[2]) for place, each in enumerate(answers)}


def numbered(served: str, number: int, seed: int) -> tiny.Words:
    """So many answers to each prompt, shape (prompts, number, LENGTH)."""
    (model, temperature), prompts = models()[0][served], models()[1]
    said = model.sample(np.repeat(prompts, number, axis=0), LENGTH, np.random.default_rng(seed), temperature)
    return said.reshape(len(prompts), number, LENGTH)


def local_score() -> Score:
    """Log-ranks under the reference itself: what a local copy of the model tells."""
    served, prompts, known = models()
    numbers = {word: number for number, word in enumerate(known)}
    held: dict[tuple[str, str], float] = {}

    def score(prompt: str, text: str) -> float:
        key = (prompt, text)
        if key not in held:
            words = np.array([[numbers[word] for word in text.split(" ")]])
            held[key] = float(served["the same model"][0].log_ranks(prompts[int(prompt)][None, :], words)[0])
        return held[key]

    return score


def calls_needed(served: str, run: int, local: bool) -> tuple[int | None, list[float]]:
    """After how many calls E reached 1,000, and the exact p-values after all calls."""
    reference = ask("the same model", ANSWERS, 1000 + run)
    answers = ask(served, -(-CALLS // PROMPTS), 5000 + 17 * run + len(served))
    hearing = open_hearing(yardstick(reference, local_score() if local else None), seed=run)
    stopped = None
    for call, prompt in enumerate(_order(run)):
        heard = hearing.hear(prompt, answers[prompt][call // PROMPTS])
        if stopped is None and heard >= log_threshold(LEVEL):
            stopped = call + 1
    return stopped, [outcome.p for outcome in hearing.outcomes(999)]


def _order(run: int) -> Iterator[str]:
    chance = np.random.default_rng(run)
    for _ in range(CALLS // PROMPTS):
        yield from (str(each) for each in chance.permutation(PROMPTS))


def print_calls(runs: int) -> None:
    print(f"calls until E ≥ {1 / LEVEL:,.0f}; {runs} runs, at most {CALLS} calls, answers of {LENGTH} words")
    print(f"{'endpoint serves':28} {'ranked by':14} {'median':>7} {'90%':>6} {'found':>7}  rank p, kernel p (median)")
    for served in models()[0]:
        for local in (True, False):
            found = [calls_needed(served, run, local) for run in range(runs)]
            calls = sorted(math.inf if each is None else each for each, _ in found)
            ps = np.median([p for _, p in found], axis=0)
            seen = sum(each < math.inf for each in calls)
            print(
                f"{served:28} {'local copy' if local else 'its answers':14} {_call(calls[len(calls) // 2]):>7} "
                f"{_call(calls[math.ceil(0.9 * len(calls)) - 1]):>6} {seen:>3}/{runs:<3}  {ps[0]:.3g}, {ps[1]:.3g}",
                flush=True,
            )


def _call(calls: float) -> str:
    return "never" if calls == math.inf else str(int(calls))


def main(words: Sequence[str]) -> None:
    part = words[0] if words else "calls"
    runs = int(words[1]) if len(words) > 1 else RUNS
    start = time.process_time()
    models()
    if part == "calls":
        print_calls(runs)
    print(f"{time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__":
    main(sys.argv[1:])
