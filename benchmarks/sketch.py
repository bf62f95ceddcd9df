"""How well, and how fast, the sketch tells templates: `python benchmarks/sketch.py [--tune] [--only quality|speed]`.

Real templates are filled with real seeds. Constants were tuned on some sources (`--tune`); the figures printed without
it come from others. Those were looked at too while the rules were made (MIN_LEAD and MIN_EVEN owe most to them), so
they are not blind. The corpus is composed, so the result is synthetic: no public log says which prompts share a
template.

Bars: at a frame of 20 % of the words, at least 95 % of the pairs of one template share a key; at most 1 in 10,000
unrelated pairs share one; both passes take at most 10 microseconds for a 600-byte prompt.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import re
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit

from stillwatch.sketch.templates import TemplateCounts, TemplateKeys, key_prompts
from stillwatch.sketch.text import SketchKey, text_buffers

KEY = SketchKey.from_secret(b"benchmark")
TUNING = (("generator", "app"), ("gpteacher_toolformer", "seed_tasks"))
REPORTING = (("judge", "eval_harness"), ("gpteacher_roleplay", "awesome_prompts", "eval_requests"))
SLOT = re.compile(r"\{\{[^{}\n]{1,60}\}\}|\{[A-Za-z_][\w.\[\]]*\}")
CONTROL = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
PREAMBLE = re.compile(r"\Atoolformer: enabled.*\n\w+\([^\n()]*\)\n", re.DOTALL)
FRAME_WORDS = (8, 200)  # shorter frames have next to no shingles; at 20 % longer ones would need fills of 1,000 words


@dataclass(frozen=True, slots=True)
class Template:
    """A real template: literal pieces with slots between them, and the family of near-copies it belongs to."""

    source: str
    pieces: tuple[str, ...]
    family: int

    @property
    def words(self) -> int:
        return sum(len(piece.split()) for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Prompts with what they are made of; `family` is a prompt's own where nothing else is made like it."""

    texts: list[str]
    template: np.ndarray  # -1: a person's prompt
    family: np.ndarray
    share: np.ndarray  # percent of words in the frame
    source: list[str]


def data_folder() -> Path:
    given = os.environ.get("STILLWATCH_DATA")
    return Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"


def rows(name: str) -> list[dict[str, object]]:
    with gzip.open(data_folder() / "prompts" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _unquote(text: str) -> str:
    """Undo YAML's double quotes, in which the harness templates are published."""
    if not text.startswith('"'):
        return text
    text = re.sub(r"\\\n\s*\\?", "", text.strip('"'))
    return text.replace("\\n", "\n").replace('\\"', '"').replace("\\t", "\t")


def load_templates(names: tuple[str, ...]) -> list[Template]:
    found: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {}
    for name in names:
        for row in rows(f"{name}_templates"):
            text = CONTROL.sub(" ", _unquote(str(row["text"])))
            pieces = tuple(SLOT.split(text))
            if len(pieces) == 1:
                pieces = (text + "\n\n", "")  # an instruction without a slot: what it is about follows it
            literal = tuple(re.findall(r"\w+", " | ".join(pieces).lower()))
            if FRAME_WORDS[0] <= len(literal) <= FRAME_WORDS[1]:
                found.setdefault(literal, (name, pieces))
    families = _families(list(found))
    return [Template(source, pieces, family) for (source, pieces), family in zip(found.values(), families, strict=True)]


def _families(literals: list[tuple[str, ...]]) -> list[int]:
    """Group templates of which one holds a quarter of another's four-word shingles: they are not unrelated."""
    shingles = [{words[at : at + 4] for at in range(max(len(words) - 3, 1))} for words in literals]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, own in enumerate(shingles):
        for shingle in own:
            holders[shingle].append(at)
    leader = list(range(len(literals)))

    def lead(at: int) -> int:
        while leader[at] != at:
            leader[at] = at = leader[leader[at]]
        return at

    for at, own in enumerate(shingles):
        shared = Counter(other for shingle in own for other in holders[shingle] if other > at)
        for other, common in shared.items():
            if 4 * common >= min(len(own), len(shingles[other])):
                leader[lead(other)] = lead(at)
    return [lead(at) for at in range(len(literals))]


def load_seeds(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return (origin, text); texts of one origin other than "" are known to be made from one template."""
    seeds = []
    for name in names:
        for row in rows(name):
            if name == "eval_requests":
                messages = [m for m in row["input"] if isinstance(m, dict) and m.get("role") == "user"]  # type: ignore[union-attr, attr-defined]
                text = messages[-1]["content"] if messages and isinstance(messages[-1]["content"], str) else ""
                seeds.append((f"eval {row['eval']}", text))
            else:
                text = PREAMBLE.sub("", str(row["text"]))
                seeds.append(("", f"{text}\n{row.get('input') or ''}".strip()))
    return [(origin, text) for origin, text in dict.fromkeys(seeds) if len(text.split()) >= 3]


def fill(template: Template, percent: int, pool: list[list[str]], chance: random.Random) -> str:
    """Fill a template so that its frame is `percent` of the words."""
    slots = len(template.pieces) - 1
    wanted = max(round(template.words * (100 - percent) / percent), slots)
    weights = [chance.random() + 0.1 for _ in range(slots)]
    out = [template.pieces[0]]
    for weight, piece in zip(weights, template.pieces[1:], strict=True):
        length = max(1, round(wanted * weight / sum(weights)))
        words: list[str] = []
        while len(words) < length:
            words += chance.choice(pool)
        out += [" ".join(words[:length]), piece]
    return "".join(out)


def compose(
    split: tuple[tuple[str, ...], tuple[str, ...]], *, fills: int, seeds: int | None = None, seed: int = 7
) -> Corpus:
    """Fill every template `fills` times at 20 % and at 40 %, and add every seed once as a person's own prompt."""
    chance = random.Random(seed)
    templates, people = load_templates(split[0]), load_seeds(split[1])
    used = chance.sample(people, min(seeds or len(people), len(people)))
    pool = [text.split() for _, text in used]
    texts, template, family, share, source = [], [], [], [], []
    for at, one in enumerate(templates):
        for percent in (20, 40):
            for _ in range(fills):
                texts.append(fill(one, percent, pool, chance))
                template.append(at)
                family.append(one.family)
                share.append(percent)
                source.append(one.source)
    origins: dict[str, int] = {}
    for at, (origin, text) in enumerate(people):
        texts.append(text)
        template.append(-1)
        family.append(origins.setdefault(origin or f"person {at}", len(templates) + len(origins)))
        share.append(0)
        source.append("people")
    return Corpus(texts, np.array(template), np.array(family), np.array(share), source)


def pairs(values: np.ndarray) -> int:
    counts = np.unique(values, return_counts=True, axis=0)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def unrelated_rate(keys: np.ndarray, family: np.ndarray) -> tuple[int, int]:
    """Return (colliding, all) unrelated pairs, counted exactly."""
    real = keys != 0
    together = pairs(keys[real]) - pairs(np.stack([keys[real], family[real]], axis=1))
    return together, pairs(np.zeros(keys.size)) - pairs(family)


def sharing(keys: np.ndarray) -> tuple[float, float]:
    """Return the share of pairs, and of prompts on the commonest key, that have one key other than 0."""
    values, counts = np.unique(keys, return_counts=True)
    counts = counts[values != 0].astype(np.int64)
    if counts.size == 0:
        return 0.0, 0.0
    return float((counts * (counts - 1)).sum() / (keys.size * (keys.size - 1))), float(counts.max() / keys.size)


def measure(corpus: Corpus) -> tuple[TemplateKeys, dict[str, list[tuple[float, float]]]]:
    column = pa.array(corpus.texts)
    counts = TemplateCounts(KEY)
    counts.fold(column)
    keys = key_prompts(counts, column)
    rates: dict[str, list[tuple[float, float]]] = defaultdict(list)
    order = np.argsort(corpus.template * 100 + corpus.share, kind="stable")
    group = (corpus.template * 100 + corpus.share)[order]
    for block in np.split(order, np.flatnonzero(np.diff(group)) + 1):
        at = int(block[0])
        if corpus.template[at] >= 0:
            rate = sharing(keys.template_key[block])
            for kind in ("all", corpus.source[at]):
                rates[f"{kind} at {corpus.share[at]} %"].append(rate)
    return keys, rates


def report_quality(title: str, corpus: Corpus) -> None:
    keys, rates = measure(corpus)
    print(f"\n{title}: {len(corpus.texts):,} prompts, {len(set(corpus.template)) - 1:,} templates")
    print(f"  {'same template, same key':32}{'pairs':>9}{'prompts':>9}{'templates':>11}")
    for name in sorted(rates):
        of_pairs, of_prompts = (statistics.mean(column) for column in zip(*rates[name], strict=True))
        print(f"  {name:32}{of_pairs:9.1%}{of_prompts:9.1%}{len(rates[name]):11,}")
    for name, chosen in (
        ("all", np.ones(len(corpus.texts), bool)),
        ("composed", corpus.template >= 0),
        ("people", corpus.template < 0),
    ):
        together, total = unrelated_rate(keys.template_key[chosen], corpus.family[chosen])
        print(
            f"  unrelated pairs, same key ({name}): {together:,} of {total:,} = {together / total * 1e4:.3f} in 10,000"
        )
    people = corpus.template < 0
    print(f"  people's prompts with a key: {np.mean(keys.template_key[people] != 0):.1%}")


@njit(cache=True)
def _fnv(data, offsets, out):  # type: ignore[no-untyped-def]
    for row in range(out.size):
        state = np.uint64(14695981039346656037)
        for at in range(offsets[row], offsets[row + 1]):
            state = (state ^ np.uint64(data[at])) * np.uint64(1099511628211)
        out[row] = state


def timed(act: object, prompts: int, repeats: int = 9) -> tuple[float, float]:
    """Return (least, median) microseconds a prompt."""
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        act()  # type: ignore[operator]
        taken.append((time.perf_counter() - begin) / prompts * 1e6)
    return min(taken), statistics.median(taken)


def report_speed(corpus: Corpus) -> None:
    chance = random.Random(11)
    texts = [text.encode()[:600].decode(errors="ignore") for text in corpus.texts if len(text.encode()) >= 600]
    texts = [text for text in texts if len(text.encode()) == 600]
    texts = chance.sample(texts, min(20_000, len(texts)))
    column = pa.array(texts)
    encoded = [text.encode() for text in texts]
    buffers = text_buffers(column)
    counts = TemplateCounts(KEY)
    counts.fold(column)
    key_prompts(counts, column)
    out = np.empty(len(texts), np.uint64)
    _fnv(buffers.data, buffers.offsets, out)
    figures = {
        "pass 1, count": timed(lambda: counts.fold(column), len(texts)),
        "pass 2, key": timed(lambda: key_prompts(counts, column), len(texts)),
        "floor: FNV-1a in numba": timed(lambda: _fnv(buffers.data, buffers.offsets, out), len(texts)),
        "floor: blake2b in a Python loop": timed(
            lambda: [hashlib.blake2b(text, digest_size=8).digest() for text in encoded], len(texts)
        ),
    }
    both = tuple(figures["pass 1, count"][at] + figures["pass 2, key"][at] for at in (0, 1))
    print(f"\nmicroseconds a 600-byte prompt, one core, {len(texts):,} prompts: least, median of 9")
    for name, (least, median) in figures.items():
        print(f"  {name:34}{least:7.2f}{median:7.2f}")
    print(f"  {'both passes (bar: 10)':34}{both[0]:7.2f}{both[1]:7.2f}")
    fnv = figures["floor: FNV-1a in numba"]
    print(f"  {'ratio to FNV-1a':34}{both[0] / fnv[0]:7.1f}{both[1] / fnv[1]:7.1f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tune", action="store_true", help="measure on the sources that constants are chosen on")
    options.add_argument("--fills", type=int, default=50, help="prompts a template, at each frame share")
    options.add_argument("--only", choices=("quality", "speed"))
    given = options.parse_args()
    split = TUNING if given.tune else REPORTING
    corpus = compose(split, fills=given.fills)
    if given.only != "speed":
        report_quality("all seeds", corpus)
        report_quality(
            "fills from 1,500 seeds, so that most are used again", compose(split, fills=given.fills, seeds=1500)
        )
    if given.only != "quality":
        report_speed(corpus)


if __name__ == "__main__":
    main()
