"""Was a suspect model trained on marked text? Four tests, by what one can get of it (Sander et al., NeurIPS 2024).

`open`: marked text is read to the model, and what it thinks likeliest next is scored. `soft`: the same with all its
probability, which needs less text. `closed`: only text that it wrote. `compared`: the same against text of the teacher
that is not marked, which shows far more. Each is exact or calibrated, and each report carries the same test under 40
random keys; without them it cannot be made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from stillwatch.provenance.calibration import LEAST_KEYS, Calibration
from stillwatch.provenance.tails import Tail, normal_tail, weighted_tail
from stillwatch.provenance.watermark.detect import Count, count, text_pairs
from stillwatch.provenance.watermark.excess import excess
from stillwatch.provenance.watermark.marks import Array, Mark, Pairs, together, unique

CONVICTS = 1e-6  # the p-value at which a report says that the suspect learned from marked text
Under = Callable[[Any], Mark]  # a key → the scheme under it


class Reach(StrEnum):
    """What can be got of the suspect."""

    OPEN = "open"
    SOFT = "soft"
    CLOSED = "closed"
    COMPARED = "compared"


class Finding(StrEnum):
    """What a report may say. There is no word for innocence: a null result shows none."""

    LEARNED = "learned from marked text"
    NOT_SHOWN = "not shown"
    NOT_CALIBRATED = "not calibrated: random keys do not look like chance"


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one test, with what it was calibrated by."""

    reach: Reach
    tail: Tail
    scored: int  # distinct pairs; of `soft`, contexts
    statistic: float  # share of favoured tokens; of `soft` and `compared`, z
    expected: float  # the same by chance
    calibration: Calibration
    commitment: str = ""  # that the key opens

    @property
    def finding(self) -> Finding:
        """What follows."""
        if not self.calibration.sound:
            return Finding.NOT_CALIBRATED
        return Finding.LEARNED if self.tail.p < CONVICTS else Finding.NOT_SHOWN


@dataclass(frozen=True, slots=True)
class Read:
    """One marked text as the suspect read it: its (n,) tokens, and at each place the likeliest next one: (n,)."""

    tokens: Array
    likeliest: Array


@dataclass(frozen=True, slots=True)
class Masses:
    """Mean next-token probabilities behind distinct contexts: (contexts, width) and (contexts, vocabulary)."""

    contexts: Array
    mass: Array


@dataclass(frozen=True, slots=True)
class Keys:
    """The key that is tested, the random ones beside it, and the scheme that all are for."""

    tested: Any
    random: Sequence[Any]
    under: Under
    commitment: str = ""

    def __repr__(self) -> str:
        return f"Keys(commitment={self.commitment!r}, random={len(self.random)})"


def score_open(reads: Sequence[Read], keys: Keys) -> Report:
    """Score the likeliest next tokens of a suspect that reads marked text (section 4 of the paper, open model).

    A pair that already stood in the text is skipped: a model that merely copies what it just read is not convicted.
    """
    width = keys.under(keys.tested).width
    return _counted(Reach.OPEN, unique(together([_predicted(each, width) for each in reads], width)), keys)


def score_closed(texts: Sequence[Array], keys: Keys, prompts: Sequence[Array] = ()) -> Report:
    """Score text that a suspect wrote, without the pairs that stood in its prompts. Texts are (n,) token ids."""
    return _counted(Reach.CLOSED, text_pairs(texts, keys.under(keys.tested).width, prompts), keys)


def score_compared(
    texts: Sequence[Array], reference: Sequence[Array], keys: Keys, prompts: Sequence[Array] = ()
) -> Report:
    """Score text that a suspect wrote against text of the teacher, on like questions, that no key marked.

    A score test: favoured tokens against others by how much oftener the suspect writes them (`excess`). The reference
    need not be of the suspect's kind for the p-value to be right, only for the test to see much. All texts are (n,)
    token ids. Raises ValueError where no context of the texts stands in the reference.
    """
    found = excess(texts, reference, keys.under(keys.tested).width, prompts)
    if not found.weights.any():
        raise ValueError("nothing to score: no context of the texts stands in the reference")

    def tail(key: Any) -> tuple[Tail, float]:
        mark = keys.under(key)
        hits = mark.favoured(found.pairs.contexts, found.pairs.tokens)
        spread = math.sqrt(mark.gamma * (1 - mark.gamma) * float((found.weights**2).sum()))
        return weighted_tail(found.weights, hits, mark.gamma), float(
            (found.weights * (hits - mark.gamma)).sum()
        ) / spread

    calibration = Calibration(tuple(tail(each)[0].p for each in _enough(keys)))
    told, z = tail(keys.tested)
    return Report(Reach.COMPARED, told, len(found.weights), z, 0.0, calibration, keys.commitment)


def score_soft(masses: Masses, keys: Keys) -> Report:
    """Score how much probability a suspect gives to favoured tokens, beyond what chance would.

    By context, the mean probability of favoured tokens less `gamma`; its variance under a random list (of fixed length:
    hypergeometric) follows from the probabilities themselves. The sum over contexts is close to normal; the random keys
    show how close.
    """
    z = _z(masses, keys.under(keys.tested))
    calibration = Calibration(tuple(normal_tail(_z(masses, keys.under(each))).p for each in _enough(keys)))
    return Report(Reach.SOFT, normal_tail(z), len(masses.contexts), z, 0.0, calibration, keys.commitment)


def _counted(reach: Reach, pairs: Pairs, keys: Keys) -> Report:
    if not len(pairs):
        raise ValueError("nothing to score: no text is longer than the context of the mark")
    found: Count = count(pairs, keys.under(keys.tested))
    calibration = Calibration(tuple(count(pairs, keys.under(each)).tail.p for each in _enough(keys)))
    share = found.favoured / found.scored
    return Report(reach, found.tail, found.scored, share, found.gamma, calibration, keys.commitment)


def _enough(keys: Keys) -> Sequence[Any]:
    if len(keys.random) < LEAST_KEYS:
        raise ValueError(f"{len(keys.random)} random keys; a report needs {LEAST_KEYS}")
    return keys.random


def _predicted(read: Read, width: int) -> Pairs:
    """Contexts and what the model put behind them, without pairs that stood before in the text."""
    tokens, likeliest = np.asarray(read.tokens, np.int64), np.asarray(read.likeliest, np.int64)
    before: set[tuple[int, ...]] = set()
    kept: list[tuple[int, ...]] = []
    for end in range(width, len(tokens) + 1):
        context = tuple(int(each) for each in tokens[end - width : end])
        pair = (*context, int(likeliest[end - 1]))
        if pair not in before:
            kept.append(pair)
        if end < len(tokens):
            before.add((*context, int(tokens[end])))
    rows = np.array(kept, np.int64).reshape(-1, width + 1)
    return Pairs(rows[:, :-1], rows[:, -1])


def _z(masses: Masses, mark: Mark) -> float:
    probabilities = np.asarray(masses.mass, float)
    size = probabilities.shape[1]
    lists = mark.lists(masses.contexts, size)
    gamma = mark.gamma
    excess = (probabilities * lists).sum(axis=1) - gamma * probabilities.sum(axis=1)
    spread = ((probabilities - probabilities.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    variance = gamma * (1 - gamma) * size / (size - 1) * spread
    total = float(variance.sum())
    return float(excess.sum()) / math.sqrt(total) if total > 0 else 0.0
