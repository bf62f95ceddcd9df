"""Train the intent model from its corpus, and measure it on formulations, sources and languages it has not seen.

    python -m stillwatch.lab.fit_intent [--out FILE]

The corpus beside this file has one *formulation* a line. Slots are filled and alternatives chosen at random, but a
formulation is never on both sides of a split. Material of other sources (STILLWATCH_DATA) joins the training where it
lies there, by whole sources; the sources of `UNSEEN` never do. Same corpus, same data, same seed: same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from stillwatch.sketch import intent
from stillwatch.sketch.intent import BLOCK, CAPABILITIES, COLUMNS, WINDOW, Features, list_features

CORPUS = Path(__file__).parent / "intent_corpus"
DATA = Path(os.environ.get("STILLWATCH_DATA", str(Path(__file__).resolve().parents[4] / "shared" / "data")))

UNIT = 1 << 16  # scores are integers, in 65,536ths of a natural log-odds
PREVALENCE = 0.02  # of exchanges that ask for a trace, or a verdict, in ordinary traffic: the prior of the permille
FALSE_ALARMS = 0.002  # allowed at the operating point
FOLDS = 5
NEVER = -1e6  # the bias of an answer that is not trained
HARDEST = 10  # windows of an ordinary text that are trained on
VARIANTS = {"trace": 12, "rubric": 12, "near-trace": 3, "near-rubric": 3}  # texts made of one formulation
SOURCES = (  # by the fold that each is held out in; no two of one fold teach what the other is measured on
    ("awesome", "FastChat"), ("roleplay", "distilabel"), ("llamaindex", "toolformer", "seeds"),
    ("evals", "deepeval", "aider"), ("harness", "langchain", "airoboros", "alpaca"),
)  # fmt: skip

Floats = npt.NDArray[np.float64]


class Formulation(NamedTuple):
    """One line of the corpus: a way to ask, with alternatives in [a|b] and slots {x}, {q}, {a}, {n}."""

    language: str
    label: str
    text: str
    number: int


class Example(NamedTuple):
    """One text to learn from or to measure on. `label` is trace, rubric, near-…, a capability or "" (ordinary)."""

    text: str
    label: str
    language: str
    source: str
    group: int  # formulation, or -1 for material of other sources


@dataclass(frozen=True, slots=True)
class Linear:
    """One linear answer: weights by bucket, and the intercept."""

    weights: Floats
    bias: float


def corpus_files() -> list[Path]:
    """Return the files of the corpus, in a fixed order."""
    return sorted(CORPUS.glob("*.tsv"))


def corpus_hash() -> str:
    """Return the hash that ties weights to the corpus they were trained on."""
    digest = hashlib.sha256()
    for path in corpus_files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def read_corpus() -> tuple[Formulation, ...]:
    """Read every formulation."""
    found: list[Formulation] = []
    for path in corpus_files():
        for line in path.read_text(encoding="utf-8").splitlines():
            label, text = line.split("\t", 1)
            found.append(Formulation(path.stem, label, text, len(found)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Synonyms:
    """Words of which one may stand for another."""

    words: tuple[str, ...]
    found: re.Pattern[str]

    def swap(self, text: str, chance: random.Random) -> str:
        """Replace about half of the occurrences of any of these words by another."""
        return self.found.sub(lambda match: chance.choice(self.words) if chance.random() < 0.5 else match[0], text)


@cache
def synonyms(language: str) -> tuple[Synonyms, ...]:
    """Return the groups of words that formulations of this language are reworded with."""
    spaced = language not in ("zh", "ja", "ko", "th")
    groups = []
    for each in read_corpus():
        if (each.language, each.label) == (language, "synonyms"):
            words = tuple(each.text.split("|"))
            longest_first = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
            pattern = rf"\b(?:{longest_first})\b" if spaced else longest_first
            groups.append(Synonyms(words, re.compile(pattern, re.IGNORECASE)))
    return tuple(groups)


_CHOICE = re.compile(r"\[([^\[\]|]+(?:\|[^\[\]|]+)+)\]")


def reword(text: str, language: str, chance: random.Random) -> str:
    """Swap words for others that could stand there, so that no single word of a formulation is what is learned."""
    for group in synonyms(language):
        text = group.swap(text, chance)
    return text


def compose(formulation: Formulation, contents: Sequence[str], chance: random.Random, rewording: bool = False) -> str:
    """Make one text of a formulation: choose alternatives, fill the slots, sometimes surround it with other content."""
    text = _CHOICE.sub(lambda match: chance.choice(match[1].split("|")), formulation.text)
    if rewording and formulation.label in VARIANTS:
        text = reword(text, formulation.language, chance)
    text = re.sub(r"\{[xqa]\}", lambda _: chance.choice(contents), text).replace("{n}", str(chance.randint(2, 16)))
    if formulation.label not in VARIANTS:
        return text
    before, after = chance.random() < 0.25, chance.random() < 0.35
    separator = chance.choice(("\n", "\n\n", " ", "\n---\n"))
    around = [chance.choice(contents) for _ in range(chance.randint(1, 4))]
    return separator.join([*(around[:1] if before else []), text, *(around if after else [])])


def make_examples(formulations: Iterable[Formulation], seed: int = 7, rewording: bool = True) -> list[Example]:
    """Compose the texts of these formulations; slots hold the prompts of the same formulations' languages."""
    formulations = list(formulations)
    contents: dict[str, list[str]] = {}
    for each in formulations:
        if each.label in CAPABILITIES or each.label == "filler":
            contents.setdefault(each.language, []).append(_CHOICE.sub(lambda match: match[1].split("|")[0], each.text))
    made = []
    for each in formulations:
        if each.label in ("filler", "synonyms"):
            continue
        chance = random.Random(f"{seed}/{each.language}/{each.text}")
        for _ in range(VARIANTS.get(each.label, 8 if _CHOICE.search(each.text) else 1)):
            text = compose(each, contents.get(each.language) or contents["en"], chance, rewording)
            made.append(Example(text, each.label, each.language, "corpus", each.number))
    return made


def _rows(name: str) -> list[dict[str, Any]]:
    path = DATA / "prompts" / f"{name}.jsonl.gz"
    if not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


_JUDGES = re.compile(
    r"impartial judge|\bverdict|teacher grading|\brate the|score rubric|score 1( to|-|:)|# ?rating"
    r"|(assign|give|giving|output|provide|return) (a|the|an)? ?(\w+ )?(score|rating)",
    re.IGNORECASE,
)
_NOT_JUDGES = re.compile(r"rewrit|copywriter|scenario|generate (a|one) (series|list|set)|rewriter", re.IGNORECASE)


def is_judge(text: str) -> bool:
    """Whether a published evaluation template asks for a verdict, by the words of its instruction."""
    return bool(_JUDGES.search(text)) and not _NOT_JUDGES.search(text)


_TRACES = re.compile(r"</?think|all thoughts (with)?in|inner monologue|internal reasoning", re.IGNORECASE)
_VERDICTS = re.compile(r"(rank|rate|grade|judge|evaluate)s? the \w* ?(response|answer|completion)s?\b", re.IGNORECASE)


def _source_of(row: dict[str, Any]) -> str:
    named = ("deepeval", "FastChat", "distilabel", "airoboros", "alpaca", "langchain", "llamaindex", "aider")
    return next(name for name in named if name in row["source"])


def _words_of(message: Any) -> str:
    return str(message["content"]) if isinstance(message, dict) else str(message)


def read_sources() -> list[Example]:
    """Read the material of other sources, labelled as far as its origin says what it is."""
    found: list[Example] = []
    for row in _rows("judge_templates") + _rows("generator_templates"):
        source = _source_of(row)
        if source in ("deepeval", "FastChat", "distilabel"):
            label = "rubric" if is_judge(row["text"]) else "unknown"
        else:
            label = ""
        found.append(Example(row["text"], label, "en", source, -1))
    for row in _rows("app_templates"):
        found.append(Example(row["text"], "rubric" if is_judge(row["text"]) else "", "en", _source_of(row), -1))
    for name, source in (
        ("awesome_prompts", "awesome"),
        ("gpteacher_roleplay", "roleplay"),
        ("gpteacher_toolformer", "toolformer"),
        ("seed_tasks", "seeds"),
        ("eval_harness_templates", "harness"),
    ):
        for row in _rows(name):
            text = f"{row['text']}\n{row['input']}" if row.get("input") else row["text"]
            found.append(Example(text, "", "en", source, -1))
    for row in _rows("eval_requests"):
        asked = row["input"]
        text = asked if isinstance(asked, str) else "\n".join(_words_of(message) for message in asked)
        found.append(Example(text, f"eval:{row['eval']}", "", "evals", -1))
    return thin_out([_set_aside(example) for example in found])


def _set_aside(example: Example) -> Example:
    """Take out of the measurement what really asks for a trace or a verdict in a source that is ordinary otherwise."""
    found = example.label != "rubric" and (_TRACES.search(example.text) or _VERDICTS.search(example.text))
    return example._replace(label="unknown") if found else example


def thin_out(sources: Sequence[Example]) -> list[Example]:
    """Keep at most 12 texts of one evaluation and 1,000 of one source: more of the same teaches nothing."""
    kept: list[Example] = []
    sizes: Counter[str] = Counter()
    for example in sorted(sources, key=lambda each: hashlib.sha256(each.text.encode()).digest()):
        key = example.label if example.label.startswith("eval:") else example.source
        sizes[key] += 1
        if sizes[key] <= (12 if key.startswith("eval:") else 1000):
            kept.append(example)
    return kept


# --- matrices ------------------------------------------------------------------------------------------------------


def _features(examples: Sequence[Example]) -> Features:
    return list_features(pa.array([example.text for example in examples], pa.large_string()))


class Windows(NamedTuple):
    """One row for each window of each text, and the text that each is from."""

    matrix: csr_matrix
    owner: npt.NDArray[np.int64]


def _matrix(rows: npt.NDArray[np.int64], buckets: npt.NDArray[np.int32], height: int) -> csr_matrix:
    ones = np.ones(len(rows), np.float64)
    return csr_matrix((ones, (rows, buckets)), shape=(height, 1 << intent.BUCKET_BITS))


def cut_windows(examples: Sequence[Example]) -> Windows:
    """Cut texts into the windows that the kernel takes the maximum of."""
    starts, buckets, spots = _features(examples)
    owner: list[int] = []
    rows: list[npt.NDArray[np.integer[Any]]] = []
    columns: list[npt.NDArray[np.integer[Any]]] = []
    for text in range(len(examples)):
        inside = slice(starts[text], starts[text + 1])
        blocks, ids = spots[inside] // BLOCK, buckets[inside]
        used = int(blocks[-1]) + 1 if len(blocks) else 1
        for first, last in [(first, first + size) for size in range(1, WINDOW + 1) for first in range(used - size + 1)]:
            low, high = np.searchsorted(blocks, (first, last))
            if high > low or used == 1:
                rows.append(np.full(high - low, len(owner), np.int64))
                columns.append(ids[low:high])
                owner.append(text)
    return Windows(_matrix(np.concatenate(rows), np.concatenate(columns), len(owner)), np.array(owner))


def whole_texts(examples: Sequence[Example]) -> csr_matrix:
    """Return one row for each text, counts divided by the root of their number, as the kernel does."""
    starts, buckets, _ = _features(examples)
    sizes = np.diff(starts)
    matrix = _matrix(np.repeat(np.arange(len(examples)), sizes), buckets, len(examples))
    return csr_matrix(matrix.multiply(1 / np.sqrt(np.maximum(sizes, 1))[:, None]))


def highest(windows: Windows, linear: Linear, texts: int) -> Floats:
    """Return each text's score: that of its best window."""
    scores = windows.matrix @ linear.weights + linear.bias
    best = np.full(texts, -np.inf)
    np.maximum.at(best, windows.owner, scores)
    return best


# --- training ------------------------------------------------------------------------------------------------------


def _shares(examples: Sequence[Example], kind: str) -> Floats:
    """Weigh examples so that each language, and each foreign source, counts the same whatever its number of texts."""

    def share_of(example: Example) -> tuple[str, str, str]:
        role = example.label if example.label in (kind, f"near-{kind}") else "ordinary"
        return example.source, example.language if example.source == "corpus" else "", role

    sizes = Counter(share_of(example) for example in examples)
    return np.array([_worth(share_of(example)) / sizes[share_of(example)] for example in examples])


def _worth(share: tuple[str, str, str]) -> float:
    source, language, role = share
    if source != "corpus":
        return 60.0 if role != "ordinary" else 300.0
    return (3.0 if language == "en" else 1.0) * {"ordinary": 60.0}.get(role, 60.0)


def fit_instruction(examples: Sequence[Example], kind: str, strength: float = 1.0) -> Linear:
    """Train the trace or rubric answer on windows: of a positive text the most telling, of others the most alike."""
    windows = cut_windows(examples)
    truth = np.array([example.label == kind for example in examples])[windows.owner]
    shares = _shares(examples, kind)[windows.owner]
    linear = Linear(np.zeros(1 << intent.BUCKET_BITS), 0.0)
    for turn in range(3):
        ranks = _ranks(windows, linear)
        keep = ranks < np.where(truth, 1, HARDEST) if turn else ranks < np.where(truth, 1 << 30, HARDEST)
        sizes = np.bincount(windows.owner[keep], minlength=len(examples))
        weights = shares / np.sqrt(np.maximum(sizes, 1))[windows.owner]
        linear = _logistic(windows.matrix[keep], truth[keep], weights[keep], strength)
    return linear


def _ranks(windows: Windows, linear: Linear) -> npt.NDArray[np.int64]:
    """Rank each window within its text by score; before the first training the order is a fixed shuffle."""
    scores = windows.matrix @ linear.weights
    if not linear.weights.any():
        scores = np.random.default_rng(7).random(len(scores))
    order = np.lexsort((-scores, windows.owner))
    first = np.r_[0, np.flatnonzero(np.diff(windows.owner[order])) + 1]
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
    return ranks


def _logistic(matrix: csr_matrix, truth: npt.NDArray[np.bool_], weights: Floats, strength: float) -> Linear:
    model = LogisticRegression(C=strength, solver="liblinear", intercept_scaling=10, tol=1e-2, max_iter=100)
    model.fit(matrix, truth, sample_weight=weights)
    return Linear(model.coef_[0], float(model.intercept_[0]))


EVALUATED = {  # what some published evaluations are about, by their names
    "coding": "sql csharp-linq gpt-protocol-buffers json_patch_object regex-match unified_patch coq-editing "
    "syntax-check crontab code_progress singlestore-vectorsearch infiniteloop-match",
    "reasoning": "math_equations jee-math linear_equations logic-grid logic-statements formal_logic logiqa determinant "
    "probability_questions tricky-word-problems multistep-word-problems aime_evaluation arithmetical_puzzles "
    "algebra_word_problems simple_math chinese-remainder-theorem euler_problems math_for_5th-grader",
    "knowledge": "cissp-study-questions medmcqa arabic-exams-qa french-exams-qa german-exams-qa italian-exams-qa "
    "turkish-exams-qa vietnamese-exams-qa born_first illinois-law hindi_upsc japanese-itpassport-exam01 astro_eval",
    "language": "proofreader swedish-spelling manga-translation icelandic-sentences-gec ukraine_gec "
    "chinese_hard_translations consensus_summary korean_romanization urdu-transliteration iqbal-poetry-translation",
    "extraction": "ner_finance population_span_extraction event_categories banking77 resource_id_extraction "
    "utility_price_parsing russian_sarcasm sarcasm irony newsology",
}
_EVALUATED = {name: label for label, names in EVALUATED.items() for name in names.split()}


def _capability_of(example: Example) -> str:
    if example.label == "rubric":
        return "grading"
    if example.source == "toolformer":
        return "agentic"
    if example.label.startswith("eval:"):
        return _EVALUATED.get(example.label[5:], "")
    return example.label if example.label in CAPABILITIES and example.label != "grading" else ""


def _lengthened(examples: Sequence[Example]) -> list[Example]:
    """Add longer texts of the same capability: how long a text is must not tell what it asks for."""
    alike: dict[tuple[str, str], list[Example]] = {}
    for example in examples:
        if example.source == "corpus" and example.label in CAPABILITIES:
            alike.setdefault((example.language, example.label), []).append(example)
    made = []
    for group in alike.values():
        for example in group:
            chance = random.Random(f"longer/{example.text}")
            parts = [example, *chance.sample(group, min(len(group), chance.randint(1, 5)))]
            made.append(example._replace(text=chance.choice(("\n", " ", "\n\n")).join(part.text for part in parts)))
    return made


def fit_capability(examples: Sequence[Example], strength: float = 3.0) -> list[Linear]:
    """Train one answer for each capability, one against the rest; grading is what the rubric answer says it is."""
    examples = [each for each in examples if _capability_of(each) not in ("", "grading")]
    examples += _lengthened(examples)
    matrix = whole_texts(examples)
    names = np.array([_capability_of(example) for example in examples])
    groups = [(name, each.language, each.source) for name, each in zip(names, examples, strict=True)]
    sizes = Counter(groups)
    weights = np.array([20 / sizes[group] for group in groups])
    answers = []
    for name in CAPABILITIES:
        truth = names == name
        if truth.any():
            answers.append(_logistic(matrix, truth, weights * np.where(truth, 4, 1), strength))
        else:
            answers.append(Linear(np.zeros(matrix.shape[1]), NEVER))
    return answers


# --- calibration and the file --------------------------------------------------------------------------------------


def calibrate(positive: Floats, ordinary: Floats, near: Floats) -> tuple[float, float]:
    """Return slope and offset of the log-odds (Platt), at the prevalence of ordinary traffic, a tenth of it hard."""
    scores = np.concatenate([positive, ordinary, near])[:, None]
    truth = np.r_[np.ones(len(positive)), np.zeros(len(ordinary) + len(near))]
    parts = ((positive, PREVALENCE), (ordinary, 0.9 * (1 - PREVALENCE)), (near, 0.1 * (1 - PREVALENCE)))
    weights = np.concatenate([np.full(len(part), share / max(len(part), 1)) for part, share in parts])
    model = LogisticRegression(C=1e6, solver="liblinear", intercept_scaling=100, tol=1e-8, max_iter=1000)
    model.fit(scores, truth, sample_weight=weights * 1000)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


class Trained(NamedTuple):
    """Everything that one training yields, before it is rounded to integers."""

    capability: list[Linear]
    trace: Linear
    rubric: Linear


def train(examples: Sequence[Example]) -> Trained:
    """Train all answers on these examples."""
    known = [example for example in examples if example.label != "unknown"]
    return Trained(fit_capability(known), fit_instruction(known, "trace"), fit_instruction(known, "rubric"))


def quantise(trained: Trained, curves: Sequence[tuple[float, float]]) -> intent.Weights:
    """Round to integers: int8 weights, one scale a column, and the score that each permille starts at."""
    table = np.zeros((1 << intent.BUCKET_BITS, COLUMNS), np.int8)
    scale, bias = np.zeros(COLUMNS, np.int64), np.zeros(COLUMNS, np.int64)
    for column, linear in enumerate([*trained.capability, trained.trace, trained.rubric]):
        top = max(float(np.abs(linear.weights).max()), 1e-9)
        table[:, column] = np.round(linear.weights * 127 / top)
        scale[column], bias[column] = round(top / 127 * UNIT), round(linear.bias * UNIT)
    odds = (np.arange(1, 1001) - 0.5) / 1000
    logits = np.log(odds / (1 - odds))
    steps = np.array([np.ceil((logits - offset) / slope * UNIT) for slope, offset in curves]).astype(np.int64)
    return intent.Weights(table, scale, bias, steps, intent.pack(table))


def write_model(out: Path, weights: intent.Weights, points: tuple[int, int]) -> None:
    """Write the weights; the archive holds no time, so that the same weights are the same bytes."""
    np.savez_compressed(
        out,
        table=weights.table, scale=weights.scale, bias=weights.bias, steps=weights.steps,
        operating_points=np.array(points, np.int64), corpus_hash=np.array(corpus_hash()),
    )  # fmt: skip


# --- measurement ---------------------------------------------------------------------------------------------------


class HeldOut(NamedTuple):
    """Examples with the scores of models that saw neither their formulation nor their source."""

    examples: list[Example]
    trace: Floats
    rubric: Floats
    capability: npt.NDArray[np.int64]


def _score(trained: Trained, examples: list[Example]) -> HeldOut:
    windows, whole = cut_windows(examples), whole_texts(examples)
    size = len(examples)
    votes = np.array([whole @ linear.weights + linear.bias for linear in trained.capability])
    return HeldOut(
        examples, highest(windows, trained.trace, size), highest(windows, trained.rubric, size), votes.argmax(axis=0)
    )


def _join(parts: Sequence[HeldOut]) -> HeldOut:
    return HeldOut(
        [example for part in parts for example in part.examples],
        np.concatenate([part.trace for part in parts]),
        np.concatenate([part.rubric for part in parts]),
        np.concatenate([part.capability for part in parts]),
    )


def fold_of(formulation: Formulation) -> int:
    """Return the fold a formulation is held out in: by its words, so that a new line moves no other."""
    return hashlib.sha256(formulation.text.encode()).digest()[0] % FOLDS


def hold_out(sources: Sequence[Example]) -> HeldOut:
    """Score every formulation, and every source, by a model that was trained without it."""
    parts = []
    for fold in range(FOLDS):
        kept = make_examples(each for each in read_corpus() if fold_of(each) != fold)
        away = make_examples((each for each in read_corpus() if fold_of(each) == fold), seed=8, rewording=False)
        away += [each for each in sources if each.source in SOURCES[fold] and each.label != "unknown"]
        parts.append(_score(train(kept + [each for each in sources if each.source not in SOURCES[fold]]), away))
    return _join(parts)


def without_language(language: str, sources: Sequence[Example]) -> HeldOut:
    """Score the formulations of one language by a model that was trained on all others."""
    kept = make_examples(each for each in read_corpus() if each.language != language)
    away = make_examples((each for each in read_corpus() if each.language == language), seed=8, rewording=False)
    return _score(train([*kept, *sources]), away)


def _role(kind: str) -> Callable[[Example], str]:
    def role(example: Example) -> str:
        return "positive" if example.label == kind else "near" if example.label == f"near-{kind}" else "ordinary"

    return role


def curve_of(held: HeldOut, kind: str) -> tuple[float, float]:
    """Calibrate one answer on held-out examples."""
    scores: Floats = getattr(held, kind)
    roles = np.array([_role(kind)(example) for example in held.examples])
    return calibrate(scores[roles == "positive"], scores[roles == "ordinary"], scores[roles == "near"])


def _capabilities(held: HeldOut, rubric_curve: tuple[float, float]) -> npt.NDArray[np.int64]:
    return np.where(_permille(held.rubric, rubric_curve) >= intent.EVEN_ODDS, intent.GRADING, held.capability)


def _permille(scores: Floats, curve: tuple[float, float]) -> npt.NDArray[np.int64]:
    return np.round(1000 / (1 + np.exp(-(scores * curve[0] + curve[1])))).astype(np.int64)


def fit_intent(out: Path = intent.WEIGHTS, languages_left_out: Sequence[str] = ()) -> None:
    """Train, measure and write the weights; print the tables of docs/reference/intent.md."""
    sources = read_sources()
    held = hold_out(sources)
    curves = {kind: curve_of(held, kind) for kind in ("trace", "rubric")}
    points = {kind: operating_point(held, kind, curves[kind]) for kind in curves}
    trained = train(make_examples(read_corpus()) + sources)
    write_model(out, quantise(trained, list(curves.values())), (points["trace"], points["rubric"]))
    print(f"corpus {corpus_hash()[:16]}, {len(read_corpus())} formulations, {len(sources)} texts of other sources")
    for kind in curves:
        report_kind(held, kind, curves[kind], points[kind])
    report_capabilities(held, _capabilities(held, curves["rubric"]))
    for language in languages_left_out:
        away = without_language(language, sources)
        for kind in curves:
            at = _permille(getattr(away, kind), curves[kind])[[each.label == kind for each in away.examples]]
            print(f"{kind} in {language}, never seen: {np.mean(at >= points[kind]):.2f} at the operating point")


def operating_point(held: HeldOut, kind: str, curve: tuple[float, float]) -> int:
    """Return the least permille that at most 2 in 1,000 ordinary texts of unseen sources reach."""
    other = np.array([each.source != "corpus" and each.label != kind for each in held.examples])
    if not other.any():
        return 500
    values = np.sort(_permille(getattr(held, kind)[other], curve))
    return int(values[-int(FALSE_ALARMS * len(values)) - 1]) + 1


def report_kind(held: HeldOut, kind: str, curve: tuple[float, float], point: int) -> None:
    """Print what share of each group reaches the even odds, and the operating point."""
    at = _permille(getattr(held, kind), curve)
    groups: dict[tuple[str, str], list[int]] = {}
    for value, each in zip(at, held.examples, strict=True):
        name = each.language if each.source == "corpus" else each.source
        groups.setdefault((name, _role(kind)(each)), []).append(value)
    print(f"\n### {kind}: operating point {point} permille; slope and offset {curve[0]:.3f} {curve[1]:.3f}\n")
    print("| unseen | what | texts | at 500 | at the operating point | median permille |")
    print("|---|---|---|---|---|---|")
    for (name, role), found in sorted(groups.items(), key=lambda item: (item[0][1], item[0][0])):
        values = np.array(found)
        row = f"{np.mean(values >= 500):.3f} | {np.mean(values >= point):.3f} | {np.median(values):.0f}"
        print(f"| {name} | {role} | {len(values)} | {row} |")
    for title, own in (("formulations", True), ("other sources", False)):
        roles = np.array([_role(kind)(each) if (each.source == "corpus") == own else "" for each in held.examples])
        recall, alarms = (
            _reached(at[np.isin(roles, chosen)], point) for chosen in (["positive"], ["near", "ordinary"])
        )
        precision = [
            PREVALENCE * r / max(PREVALENCE * r + (1 - PREVALENCE) * a, 1e-9)
            for r, a in zip(recall, alarms, strict=True)
        ]
        print(f"\n{title}: recall {recall[0]:.3f} / {recall[1]:.3f}, false alarms {alarms[0]:.4f} / {alarms[1]:.4f}, "
              f"precision where 2 % ask for it {precision[0]:.2f} / {precision[1]:.2f} (at 500 / there)")  # fmt: skip


def _reached(values: npt.NDArray[np.int64], point: int) -> list[float]:
    return [float(np.mean(values >= limit)) if len(values) else float("nan") for limit in (500, point)]


def report_capabilities(held: HeldOut, read: npt.NDArray[np.int64]) -> None:
    """Print the accuracy by language and by capability, with what each is most often taken for."""
    named = [_capability_of(each) for each in held.examples]
    pairs = [
        (each.language if each.source == "corpus" else each.source, truth, CAPABILITIES[code])
        for each, truth, code in zip(held.examples, named, read, strict=True)
        if truth
    ]
    print("\n### capability\n\n| unseen | texts | right |\n|---|---|---|")
    for place in sorted({pair[0] for pair in pairs}):
        right = [truth == taken for where, truth, taken in pairs if where == place]
        print(f"| {place} | {len(right)} | {np.mean(right):.2f} |")
    print("\n| capability | texts | right | most often taken for |\n|---|---|---|---|")
    own = [pair for pair in pairs if len(pair[0]) == 2]
    for name in CAPABILITIES:
        reads = Counter(taken for _, truth, taken in own if truth == name)
        wrong = ", ".join(f"{other} {count}" for other, count in reads.most_common(4) if other != name)
        print(f"| {name} | {reads.total()} | {reads[name] / max(reads.total(), 1):.2f} | {wrong} |")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=fit_intent.__doc__)
    parser.add_argument("--out", type=Path, default=intent.WEIGHTS)
    parser.add_argument("--leave-out", nargs="*", default=(), metavar="LANGUAGE", help="measure a language never seen")
    given = parser.parse_args()
    with threadpool_limits(1):  # sums in another order round to other weights
        fit_intent(given.out, given.leave_out)


if __name__ == "__main__":
    main()
