"""How many calls an audit needs, and how often it is wrong: `python benchmarks/audit_endpoint.py [PART]`.

PART is `calls` (until E ≥ 1,000, by alternative), `tokens` (border inputs and log-probabilities), `null` and `own`
(false alarms of audits in 1,000 honest runs), `monitor` (the same for monitors), `change` (answers until a monitor
sees a change), or all.

The endpoint and its reference are tiny language models (stillwatch.lab.tiny_models: a feed-forward network trained here
on Python's manual). The alternatives: a model trained on other text, a student trained on what the reference says,
temperature 0.9 for 1.0, weights of four and of three bits.
"""

from __future__ import annotations

import functools
import math
import os
import pickle
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from stillwatch.apps.integrity.auditing import BORDER_CALLS
from stillwatch.apps.integrity.recording import BORDER_ANSWERS, LOGPROB_ANSWERS
from stillwatch.integrity.audit.answers import Answer
from stillwatch.integrity.audit.border import border_test
from stillwatch.integrity.audit.hearing import Score, log_threshold, open_hearing, yardstick
from stillwatch.integrity.audit.logprobs import logprob_test
from stillwatch.integrity.monitor.channels import Probe
from stillwatch.integrity.monitor.watching import Evidence, chosen
from stillwatch.lab import tiny_models as tiny

WORDS, LENGTH, PROMPTS = 800, 48, 50
ANSWERS = 20  # of the reference, to each prompt
CALLS = 300
LEVEL = 0.001
RUNS = 20
POOL = 300  # answers to each prompt that honest runs draw from
FEW = 40  # the same, where runs are few
WATCHED = 150  # answers of a monitored endpoint
NOISE = 0.02  # of a logit: an assumption; endpoints differ
BORDERS, LOGGED = 12, 8
Scores = np.ndarray[tuple[int, ...], np.dtype[np.float64]]  # log-ranks, shape (prompts, answers)


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


@functools.cache
def ask(served: str, number: int, seed: int) -> tuple[dict[str, list[str]], dict[tuple[str, str], float]]:
    """So many answers to each prompt, as texts; and their log-ranks under the reference: what a local copy tells."""
    answers = numbered(served, number, seed)
    ranks = _local_pool(answers)
    said = {str(place): tiny.texts(each, models()[2]) for place, each in enumerate(answers)}
    told = {
        (prompt, text): float(ranks[int(prompt), at]) for prompt, texts in said.items() for at, text in enumerate(texts)
    }
    return said, told


def numbered(served: str, number: int, seed: int) -> tiny.Words:
    """So many answers to each prompt, shape (prompts, number, LENGTH)."""
    (model, temperature), prompts = models()[0][served], models()[1]
    said = model.sample(np.repeat(prompts, number, axis=0), LENGTH, np.random.default_rng(seed), temperature)
    return said.reshape(len(prompts), number, LENGTH)


def calls_needed(served: str, run: int, local: bool) -> tuple[int | None, list[float]]:
    """After how many calls E reached 1,000, and the exact p-values after all calls."""
    reference, told = ask("the same model", ANSWERS, 1000 + run)
    answers, more = ask(served, -(-CALLS // PROMPTS), 5000 + 17 * run + len(served))
    ranks = {**told, **more}
    score: Score | None = (lambda prompt, text: ranks[prompt, text]) if local else None
    hearing = open_hearing(yardstick(reference, score), seed=run)
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


def print_calls(runs: int, ways: Sequence[bool]) -> None:
    print(f"calls until E ≥ {1 / LEVEL:,.0f}; {runs} runs, at most {CALLS} calls, answers of {LENGTH} words")
    print(f"{'endpoint serves':28} {'ranked by':14} {'median':>7} {'90%':>6} {'found':>7}  rank p, kernel p (median)")
    for served in models()[0]:
        for local in ways:
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


def print_first_tokens(runs: int) -> None:
    """Border inputs and log-probabilities: one token an answer, with noise on the logits as parallel sums make it."""
    print(f"{BORDERS} border inputs asked {BORDER_CALLS} times each, or {LOGGED} prompts' log-probabilities asked")
    print(f"{LOGPROB_ANSWERS} times each; noise of {NOISE} on each logit; share of {runs} runs with p ≤ {LEVEL}")
    print(f"{'endpoint serves':28} {'border inputs':>14} {'log-probabilities':>18}   calls")
    for served, (model, _) in models()[0].items():
        found = [_first_token_ps(model, run) for run in range(runs)]
        border, logged = (np.mean([p <= LEVEL for p in each]) for each in zip(*found, strict=True))
        calls = f"{BORDERS * BORDER_CALLS} and {LOGGED * LOGPROB_ANSWERS}"
        print(f"{served:28} {border:>14.2f} {logged:>18.2f}   {calls}", flush=True)


def _first_token_ps(model: tiny.TinyModel, run: int) -> tuple[float, float]:
    chance = np.random.default_rng((77, run))
    teacher = models()[0]["the same model"][0]
    inputs = chance.integers(0, WORDS, (3000, tiny.CONTEXT))
    looked = _noisy(teacher.logits(inputs), 3, chance)
    moving = np.flatnonzero((looked != looked[:, :1]).any(axis=1))[:BORDERS]
    borders = {str(each): _told(teacher, inputs[each], BORDER_ANSWERS, chance) for each in moving}
    theirs = {each: _told(model, inputs[int(each)], BORDER_CALLS, chance) for each in borders}
    prompts = models()[1][:LOGGED]
    ours = [[_logprobs(teacher, each, chance) for _ in range(LOGPROB_ANSWERS)] for each in prompts]
    them = [[_logprobs(model, each, chance) for _ in range(LOGPROB_ANSWERS)] for each in prompts]
    logged = logprob_test(dict(enumerate(ours)), dict(enumerate(them)), chance, 4999)  # type: ignore[arg-type]
    return (border_test(borders, theirs, chance, 4999).p if borders else 1.0), logged.p


def _noisy(logits: tiny.Floats, times: int, chance: np.random.Generator) -> tiny.Words:
    noise = NOISE * chance.standard_normal((times, *logits.shape), dtype=np.float32)
    told: tiny.Words = np.argmax(logits[None] + noise, axis=2).T
    return told


def _told(model: tiny.TinyModel, context: tiny.Words, times: int, chance: np.random.Generator) -> list[str]:
    return [models()[2][each] for each in _noisy(model.logits(context[None, :]), times, chance)[0]]


def _logprobs(model: tiny.TinyModel, context: tiny.Words, chance: np.random.Generator) -> dict[str, float]:
    logits = model.logits(context[None, :])[0].astype(np.float64)
    logits += NOISE * chance.standard_normal(len(logits))
    logits -= np.log(np.exp(logits - logits.max()).sum()) + logits.max()
    return {models()[2][each]: float(logits[each]) for each in np.argsort(-logits)[:5]}


def print_null(runs: int, first: int) -> None:
    """Honest endpoints, looked at after every call. Answers of a run are drawn without repeats from a pool."""
    pool = numbered("the same model", POOL, 99)
    ranks_of = _local_pool(pool)
    peaks = np.array([_null_audit(pool, ranks_of, first + run, False) for run in range(runs)])
    _tell_null("audit, ranked by a local copy", peaks, CALLS)


def print_null_own(runs: int, first: int) -> None:
    """The same, ranked by the reference's own answers: smaller, since each run learns a score of its own."""
    pool = numbered("the same model", POOL, 99)[:25, :, :24]
    peaks = np.array([_null_audit(pool, None, first + run, True) for run in range(runs)])
    _tell_null("audit, ranked by its answers", peaks, 100)


def _local_pool(pool: tiny.Words) -> Scores:
    model, prompts = models()[0]["the same model"][0], models()[1]
    flat = pool.reshape(-1, pool.shape[2])
    return model.log_ranks(np.repeat(prompts, pool.shape[1], axis=0), flat).reshape(pool.shape[:2])


def _null_audit(pool: tiny.Words, scores: Scores | None, run: int, own: bool) -> float:
    """Log of the largest E in one honest audit."""
    chance, known = np.random.default_rng((5, run)), models()[2]
    answers, turns = (12, 4) if own else (ANSWERS, CALLS // PROMPTS)
    places = [chance.permutation(pool.shape[1])[: answers + turns] for _ in pool]
    if own:
        said = [tiny.texts(pool[at][which], known) for at, which in enumerate(places)]
        by = yardstick({str(at): each[:answers] for at, each in enumerate(said)})
    else:
        assert scores is not None
        said = [[repr(float(scores[at, each])) for each in which] for at, which in enumerate(places)]
        by = yardstick({str(at): each[:answers] for at, each in enumerate(said)}, lambda _, text: float(text))
    hearing = open_hearing(by, run)
    for turn in range(turns):
        for at in chance.permutation(len(pool)):
            hearing.hear(str(at), said[at][answers + turn])
    return hearing.peak


def print_monitor(runs: int, first: int) -> None:
    """Monitors of honest endpoints, looked at after every answer."""
    honest = _local_pool(numbered("the same model", POOL, 99))
    peaks = np.array([_watched(honest, honest, first + run, 0)[0] for run in range(runs)])
    _tell_null("monitor, four channels", peaks, WATCHED)


def print_change() -> None:
    """Monitors of endpoints that change after 50 answers."""
    honest = _local_pool(numbered("the same model", FEW, 99))
    for at, name in enumerate(models()[0]):
        served = _local_pool(numbered(name, FEW, 300 + at))
        after = [_watched(honest, served, run, 50)[1] for run in range(20)]
        calls = sorted(math.inf if at is None else at for at in after)
        print(
            f"monitor: {name:28} median {_call(calls[10])}, 90% {_call(calls[17])} answers after the change", flush=True
        )


def _watched(honest: Scores, served: Scores, run: int, quiet: int) -> tuple[float, int | None]:
    """Largest log E of one monitored endpoint, and after how many answers past `quiet` it reached 1,000."""
    chance = np.random.default_rng((6, run))
    coin = random.Random(run)
    watched = Evidence(chosen(["wording", "refusals", "tokens", "latency"]), str(run))
    order = [chance.permutation(len(pool)) for pool in honest]
    for at, scores in enumerate(honest):
        for each in order[at][:12]:
            watched.learn(Probe(str(at), f"family{at % 4}"), _answer(scores[each], coin), _read_score)
    peak = -math.inf
    for turn in range(WATCHED):
        at, step = turn % PROMPTS, 12 + turn // PROMPTS
        source = served if turn >= quiet else honest
        watched.observe(Probe(str(at), f"family{at % 4}"), _answer(source[at][order[at][step]], coin), _read_score)
        peak = max(peak, watched.log_e())
        if quiet and peak >= log_threshold(LEVEL):
            return peak, turn + 1 - quiet
    return peak, None


def _answer(score: float, coin: random.Random) -> Answer:
    return Answer(repr(float(score)), coin.expovariate(2.0), 20 + coin.randrange(40), coin.random() < 0.02)


def _read_score(_prompt: str, text: str) -> float:
    return float(text)


def _tell_null(what: str, peaks: Sequence[float] | np.ndarray, calls: int) -> None:
    told = ", ".join(
        f"E ≥ {bar:,}: {int(np.count_nonzero(np.array(peaks) >= math.log(bar)))}" for bar in (20, 100, 1000)
    )
    print(f"false alarms in {len(peaks):,} honest runs of {calls} calls ({what}): {told}", flush=True)


def main(words: Sequence[str]) -> None:
    part = words[0] if words else "all"
    some = int(words[1]) if len(words) > 1 else 1000, int(words[2]) if words[2:] and words[2].isdigit() else 0
    start = time.process_time()
    models()
    if part in ("calls", "all"):
        way = words[2] if len(words) > 2 else "both"
        print_calls(
            int(words[1]) if len(words) > 1 else RUNS, {"local": [True], "own": [False]}.get(way, [True, False])
        )
    if part in ("tokens", "all"):
        print_first_tokens(RUNS)
    if part in ("null", "all"):
        print_null(*some)
    if part in ("own", "all"):
        print_null_own(*some)
    if part in ("monitor", "all"):
        print_monitor(*some)
    if part in ("change", "all"):
        print_change()
    print(f"{time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__":
    main(sys.argv[1:])
